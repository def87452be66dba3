// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

#include <csignal>
#include <numeric>
#include <thread>
#include <vector>

#include "base/sanitizers.h"
#include "client/socket.h"
#include "client_fixture.h"

namespace netchannel {
namespace {

using StreamIoTest = ClientTest;

std::string Pattern(size_t length) {
  std::string text(length, '\0');
  for (size_t i = 0; i < length; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

TEST_P(StreamIoTest, ABlockingReceiveWakesWhenBytesArrive) {
  const auto pair = Pair();
  std::thread sender([&] { EXPECT_EQ(Send(pair.first, "late"), 4); });
  EXPECT_EQ(Receive(pair.second, 100, 0), "late");
  sender.join();
}

TEST_P(StreamIoTest, AStreamLongerThanTheBuffersArrivesWhole) {
  const auto pair = Pair();
  const std::string sent = Pattern(300 * 1000);
  std::thread sender([&] { EXPECT_EQ(Send(pair.first, sent), 300 * 1000); });
  EXPECT_TRUE(Receive(pair.second, sent.size()) == sent);
  sender.join();
}

TEST_P(StreamIoTest, SmallMessagesKeepTheirOrder) {
  const auto pair = Pair();
  std::thread sender([&] {
    for (uint64_t i = 0; i < 20000; ++i) EXPECT_EQ(nc_send(pair.first, &i, sizeof(i), 0), 8);
  });
  uint64_t wrong = 0;
  for (uint64_t i = 0; i < 20000; ++i) {
    uint64_t got = 0;
    ASSERT_EQ(nc_recv(pair.second, &got, sizeof(got), MSG_WAITALL), 8);
    wrong += got != i;
  }
  EXPECT_EQ(wrong, 0u);
  sender.join();
}

TEST_P(StreamIoTest, NonBlockingReceiveOfNothingIsEagain) {
  const auto pair = Pair();
  char byte;
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_P(StreamIoTest, NonBlockingSendFillsTheBufferThenIsEagain) {
  const auto pair = Pair();
  fake().HoldData(true);
  EXPECT_EQ(Fill(pair.first), 16u * 1024);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_P(StreamIoTest, NonBlockingSendTakesWhatFits) {
  const auto pair = Pair();
  fake().HoldData(true);
  EXPECT_EQ(Send(pair.first, std::string(20 * 1024, 'x'), MSG_DONTWAIT), 16 * 1024);
}

TEST_P(StreamIoTest, ABlockedSenderGoesOnWhenThePeerReads) {
  const auto pair = Pair();
  const std::string sent = Pattern(40 * 1024);
  std::thread reader([&] { EXPECT_TRUE(Receive(pair.second, sent.size()) == sent); });
  EXPECT_EQ(Send(pair.first, sent), 40 * 1024);
  reader.join();
}

TEST_P(StreamIoTest, ReceiveTimesOut) {
  const auto pair = Pair();
  nc_setopt(pair.second, NC_RECEIVE_TIMEOUT_MS, 5);
  char byte;
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_P(StreamIoTest, SendTimesOutWithWhatWasWritten) {
  const auto pair = Pair();
  fake().HoldData(true);
  nc_setopt(pair.first, NC_SEND_TIMEOUT_MS, 5);
  EXPECT_EQ(Send(pair.first, std::string(20 * 1024, 'x')), 16 * 1024);
  EXPECT_EQ(Send(pair.first, "x"), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_P(StreamIoTest, PeekLeavesTheBytes) {
  const auto pair = Pair();
  Send(pair.first, "abc");
  EXPECT_EQ(Receive(pair.second, 3, MSG_PEEK | MSG_WAITALL), "abc");
  EXPECT_EQ(Receive(pair.second, 3, MSG_PEEK), "abc");
  EXPECT_EQ(Receive(pair.second, 3), "abc");
}

TEST_P(StreamIoTest, PeekAtTheEndOfTheStreamIsZero) {
  const auto pair = Pair();
  nc_shutdown(pair.first, SHUT_WR);
  char byte;
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, MSG_PEEK), 0);
}

TEST_P(StreamIoTest, WaitAllJoinsSeveralSends) {
  const auto pair = Pair();
  std::thread sender([&] {
    for (const char* part : {"one", "two", "six"}) Send(pair.first, part);
  });
  EXPECT_EQ(Receive(pair.second, 9, MSG_WAITALL), "onetwosix");
  sender.join();
}

TEST_P(StreamIoTest, WaitAllEndsEarlyAtTheEndOfTheStream) {
  const auto pair = Pair();
  Send(pair.first, "end");
  nc_shutdown(pair.first, SHUT_WR);
  EXPECT_EQ(Receive(pair.second, 9, MSG_WAITALL), "end");
}

TEST_P(StreamIoTest, VectoredFormsGatherAndScatter) {
  const auto pair = Pair();
  char ab[] = "ab", cdef[] = "cdef", one[3], two[3];
  const iovec out[] = {{ab, 2}, {nullptr, 0}, {cdef, 4}};
  const iovec in[] = {{one, 3}, {two, 3}};
  EXPECT_EQ(nc_sendv(pair.first, out, 3, 0), 6);
  EXPECT_EQ(nc_recvv(pair.second, in, 2, MSG_WAITALL), 6);
  EXPECT_EQ(std::string(one, 3) + std::string(two, 3), "abcdef");
}

TEST_P(StreamIoTest, TooManyPartsAreEinval) {
  const auto pair = Pair();
  std::vector<iovec> parts(1025);
  EXPECT_EQ(nc_sendv(pair.first, parts.data(), 1025, 0), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_P(StreamIoTest, UnknownFlagsAreRefused) {
  const auto pair = Pair();
  EXPECT_EQ(Send(pair.first, "x", MSG_OOB), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  char byte;
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, MSG_OOB), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
}

TEST_P(StreamIoTest, NothingToSendSendsNothing) {
  const auto pair = Pair();
  EXPECT_EQ(nc_send(pair.first, nullptr, 0, 0), 0);
  EXPECT_EQ(nc_recv(pair.second, nullptr, 0, 0), 0);
}

TEST_P(StreamIoTest, AnUnconnectedSocketIsEnotconn) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  EXPECT_EQ(Send(socket, "x"), -1);
  EXPECT_EQ(errno, ENOTCONN);
  char byte;
  EXPECT_EQ(nc_recv(socket, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ENOTCONN);
}

TEST_P(StreamIoTest, ReceiveOnAListenerDoesNotTakeItsConnections) {
  nc_socket* listener = Listen(7100);
  nc_socket* socket = nc_socket_create(stack_, 0);
  ASSERT_EQ(Connect(socket, 7100), 0);
  char bytes[4];
  EXPECT_EQ(nc_recv(listener, bytes, sizeof(bytes), 0), -1);
  EXPECT_EQ(errno, ENOTCONN);
  EXPECT_NE(nc_accept(listener, nullptr, nullptr, 0), nullptr);
}

TEST_P(StreamIoTest, AReaderThatKeepsUpTellsTheStackOnceAnEighth) {
  const auto pair = Pair();
  const std::string message(256, 'm');
  // The sender's doorbells are the fake's business; the reader's are counted.
  uint64_t reader_bells = 0;
  for (int i = 0; i < 64; ++i) {  // one ring in all: 8 times an eighth
    ASSERT_EQ(Send(pair.first, message), 256);
    ASSERT_EQ(Receive(pair.second, 256, MSG_PEEK | MSG_WAITALL).size(), 256u);
    fake().HoldData(true);  // returns when all bells so far are heard
    const uint64_t before = fake().doorbells();
    ASSERT_EQ(Receive(pair.second, 256).size(), 256u);
    fake().HoldData(false);
    reader_bells += fake().doorbells() - before;
  }
  EXPECT_EQ(reader_bells, 8u);
}

TEST_P(StreamIoTest, TwoSendersTakeTurns) {
  const auto pair = Pair();
  auto send = [&](char letter) {
    const std::string message(64, letter);
    for (int i = 0; i < 2000; ++i) EXPECT_EQ(Send(pair.first, message), 64);
  };
  std::thread a([&] { send('a'); }), b([&] { send('b'); });
  std::vector<int> count(256);
  for (int i = 0; i < 4000; ++i) {
    for (const char letter : Receive(pair.second, 64)) ++count[static_cast<uint8_t>(letter)];
  }
  a.join();
  b.join();
  EXPECT_EQ(count['a'], 2000 * 64);
  EXPECT_EQ(count['b'], 2000 * 64);
}

TEST_P(StreamIoTest, BothDirectionsRunInParallel) {
  const auto pair = Pair();
  const std::string data = Pattern(200 * 1000);
  std::thread there([&] { EXPECT_EQ(Send(pair.first, data), 200 * 1000); });
  std::thread back([&] { EXPECT_EQ(Send(pair.second, data), 200 * 1000); });
  std::thread reader([&] { EXPECT_TRUE(Receive(pair.first, data.size()) == data); });
  EXPECT_TRUE(Receive(pair.second, data.size()) == data);
  for (std::thread* thread : {&there, &back, &reader}) thread->join();
}

TEST_P(StreamIoTest, ManyConnectionsInManyThreads) {
  std::vector<std::pair<nc_socket*, nc_socket*>> pairs;
  for (int i = 0; i < 8; ++i) pairs.push_back(Pair());
  std::vector<std::thread> threads;
  for (const auto& pair : pairs) {
    threads.emplace_back([pair] {
      for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(Send(pair.first, "ping"), 4);
        EXPECT_EQ(Receive(pair.first, 4), "pong");
      }
    });
    threads.emplace_back([pair] {
      for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(Receive(pair.second, 4), "ping");
        EXPECT_EQ(Send(pair.second, "pong"), 4);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(StreamIoTest, SpinningSocketsPingPong) {
  const auto pair = Pair();
  nc_setopt(pair.first, NC_SPIN, 1);
  nc_setopt(pair.second, NC_SPIN, 1);
  std::thread server([&] {
    for (int i = 0; i < 50; ++i) Send(pair.second, Receive(pair.second, 4));
  });
  int right = 0;
  for (int i = 0; i < 50; ++i) {
    Send(pair.first, "ping");
    right += Receive(pair.first, 4) == "ping";
  }
  EXPECT_EQ(right, 50);
  server.join();
}

// Threads that run an embedded stack have their own: tests/unit/stack/signal_test.cc.
class FutexSignalTest : public ClientTest {
 protected:
  void SetUp() override {
#if defined(NC_THREAD_SANITIZER)
    GTEST_SKIP() << "the thread sanitizer holds a signal back until the thread calls what it "
                    "intercepts: futex(2) is not";
#endif
    ClientTest::SetUp();
    pair_ = Pair();
  }
  static void Install(int flags) {
    struct sigaction action {};
    action.sa_handler = [](int) { handled.fetch_add(1); };
    action.sa_flags = flags;
    sigaction(SIGUSR1, &action, nullptr);
    handled.store(0);
  }
  // Signals `thread` until its call is over, or it has handled a few.
  static void Disturb(std::thread* thread, const std::atomic<bool>& over) {
    while (!over.load() && handled.load() < 20) {
      pthread_kill(thread->native_handle(), SIGUSR1);
      std::this_thread::yield();
    }
  }

  static std::atomic<int> handled;
  std::pair<nc_socket*, nc_socket*> pair_;
};
std::atomic<int> FutexSignalTest::handled{0};

TEST_P(FutexSignalTest, AHandlerEndsASleepWithEintr) {
  Install(0);
  std::atomic<bool> over{false};
  std::thread reader([&] {
    char byte;
    EXPECT_EQ(nc_recv(pair_.second, &byte, 1, 0), -1);
    EXPECT_EQ(errno, EINTR);
    over.store(true);
  });
  while (!over.load()) {
    pthread_kill(reader.native_handle(), SIGUSR1);
    std::this_thread::yield();
  }
  reader.join();
}

TEST_P(FutexSignalTest, ARestartingHandlerLetsASleepGoOn) {
  Install(SA_RESTART);
  std::atomic<bool> over{false};
  std::thread reader([&] {
    char byte = 0;
    EXPECT_EQ(nc_recv(pair_.second, &byte, 1, 0), 1);
    EXPECT_EQ(byte, 'x');
    over.store(true);
  });
  Disturb(&reader, over);
  EXPECT_FALSE(over.load());
  Send(pair_.first, "x");
  reader.join();
}

TEST_P(FutexSignalTest, ATimeLimitIsNotRestarted) {
  Install(SA_RESTART);
  nc_setopt(pair_.second, NC_RECEIVE_TIMEOUT_MS, 60 * 1000);
  std::atomic<bool> over{false};
  std::thread reader([&] {
    char byte;
    EXPECT_EQ(nc_recv(pair_.second, &byte, 1, 0), -1);
    EXPECT_EQ(errno, EINTR);
    over.store(true);
  });
  while (!over.load()) {
    pthread_kill(reader.native_handle(), SIGUSR1);
    std::this_thread::yield();
  }
  reader.join();
}

TEST_P(FutexSignalTest, ASleeperCanBeCancelled) {
  std::thread reader([&] {
    char byte;
    nc_recv(pair_.second, &byte, 1, 0);
    ADD_FAILURE() << "not cancelled";
  });
  while ((pair_.second->slot->waiters.load() & ipc::kReadWaiter) == 0) std::this_thread::yield();
  pthread_cancel(reader.native_handle());
  reader.join();
  // The socket is as it was.
  Send(pair_.first, "x");
  EXPECT_EQ(Receive(pair_.second, 1), "x");
}

INSTANTIATE_TEST_SUITE_P(Client, FutexSignalTest, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Client, StreamIoTest, testing::Bool());

}  // namespace
}  // namespace netchannel
