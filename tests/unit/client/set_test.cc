// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <sys/eventfd.h>

#include <thread>
#include <vector>

#include "client/socket.h"
#include "client_fixture.h"

namespace netchannel {
namespace {

class SetTest : public ClientTest {
 protected:
  void SetUp() override {
    ClientTest::SetUp();
    set_ = nc_set_create(stack_);
  }

  nc_event Wait(int timeout_ms) {
    nc_event event{};
    count_ = nc_set_wait(set_, &event, 1, timeout_ms);
    return event;
  }

  static bool Readable(int fd) {
    pollfd poll_fd = {fd, POLLIN, 0};
    return poll(&poll_fd, 1, 0) == 1;
  }

  nc_set* set_ = nullptr;
  int count_ = 0;
};

TEST_P(SetTest, ReportsArrivalWithTheSocketAndItsData) {
  const auto pair = Pair();
  int mark = 0;
  ASSERT_EQ(nc_set_watch(set_, pair.second, NC_READ, &mark), 0);
  Send(pair.first, "x");
  const nc_event event = Wait(-1);
  EXPECT_EQ(event.socket, pair.second);
  EXPECT_EQ(event.events, NC_READ);
  EXPECT_EQ(event.data, &mark);
}

TEST_P(SetTest, AThreadThatWaitsWakesOnArrival) {
  const auto pair = Pair();
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  std::thread sender([&] { Send(pair.first, "x"); });
  Wait(-1);
  EXPECT_EQ(count_, 1);
  sender.join();
}

TEST_P(SetTest, NothingReadyTimesOut) {
  const auto pair = Pair();
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  Wait(5);
  EXPECT_EQ(count_, 0);
  Wait(0);
  EXPECT_EQ(count_, 0);
}

TEST_P(SetTest, LevelTriggeredUntilRead) {
  const auto pair = Pair();
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  Send(pair.first, "x");
  Wait(-1);
  EXPECT_EQ(Wait(0).socket, pair.second);
  Receive(pair.second, 1);
  Wait(0);
  EXPECT_EQ(count_, 0);
}

TEST_P(SetTest, EachArrivalIsReportedAgain) {
  const auto pair = Pair();
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  for (int i = 0; i < 500; ++i) {
    Send(pair.first, "x");
    ASSERT_EQ(Wait(-1).socket, pair.second);
    ASSERT_EQ(Receive(pair.second, 1), "x");
    Wait(0);
    ASSERT_EQ(count_, 0);
  }
}

TEST_P(SetTest, ReadyBeforeItIsWatchedIsReported) {
  const auto pair = Pair();
  Send(pair.first, "x");
  Receive(pair.second, 1, MSG_PEEK | MSG_WAITALL);
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  EXPECT_EQ(Wait(0).events, NC_READ);
}

TEST_P(SetTest, WatchingWakesAThreadThatAlreadyWaits) {
  const auto pair = Pair();
  std::thread watcher([&] { nc_set_watch(set_, pair.first, NC_WRITE, nullptr); });
  EXPECT_EQ(Wait(-1).events, NC_WRITE);
  watcher.join();
}

TEST_P(SetTest, WritableComesWhenTheBufferDrains) {
  const auto pair = Pair();
  fake().HoldData(true);
  Fill(pair.first);
  nc_set_watch(set_, pair.first, NC_WRITE, nullptr);
  Wait(0);
  EXPECT_EQ(count_, 0);
  fake().HoldData(false);
  EXPECT_EQ(Wait(-1).events, NC_WRITE);
}

TEST_P(SetTest, AWaitingConnectionMakesAListenerReadable) {
  nc_socket* listener = Listen(7300);
  nc_set_watch(set_, listener, NC_READ, nullptr);
  nc_socket* socket = nc_socket_create(stack_, 0);
  ASSERT_EQ(Connect(socket, 7300), 0);
  EXPECT_EQ(Wait(-1).socket, listener);
}

TEST_P(SetTest, TheEndOfTheStreamIsReadable) {
  const auto pair = Pair();
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  nc_shutdown(pair.first, SHUT_WR);
  EXPECT_EQ(Wait(-1).events, NC_READ);
}

TEST_P(SetTest, FailureIsReportedUnasked) {
  const auto pair = Pair();
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  nc_set_watch(set_, pair.second, NC_HANGUP, nullptr);
  fake().Reset(pair.second->index, ETIMEDOUT);
  EXPECT_EQ(Wait(-1).events, NC_HANGUP | NC_FAILED);
}

TEST_P(SetTest, BothEndsShutIsAHangup) {
  const auto pair = Pair();
  nc_set_watch(set_, pair.second, NC_HANGUP, nullptr);
  nc_shutdown(pair.second, SHUT_WR);
  nc_shutdown(pair.first, SHUT_WR);
  EXPECT_EQ(Wait(-1).events, NC_HANGUP);
}

TEST_P(SetTest, ARemovedSocketIsNotReported) {
  const auto pair = Pair();
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  Send(pair.first, "x");
  Wait(-1);
  EXPECT_EQ(nc_set_watch(set_, pair.second, 0, nullptr), 0);
  Wait(0);
  EXPECT_EQ(count_, 0);
}

TEST_P(SetTest, RemovingAStrangerIsEnoent) {
  const auto pair = Pair();
  EXPECT_EQ(nc_set_watch(set_, pair.second, 0, nullptr), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST_P(SetTest, ASocketIsReportedByEachOfItsSets) {
  const auto pair = Pair();
  nc_set* other = nc_set_create(stack_);
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  nc_set_watch(other, pair.second, NC_READ | NC_WRITE | NC_EDGE, nullptr);
  nc_event event;
  EXPECT_EQ(nc_set_wait(other, &event, 1, -1), 1);
  EXPECT_EQ(event.events, NC_WRITE);
  Send(pair.first, "x");
  EXPECT_EQ(Wait(-1).events, NC_READ);
  EXPECT_EQ(nc_set_wait(other, &event, 1, -1), 1);
  EXPECT_EQ(event.events, NC_READ | NC_WRITE);
  nc_set_destroy(other);
}

TEST_P(SetTest, LeavingOneSetLeavesTheOthersAlone) {
  const auto pair = Pair();
  nc_set* other = nc_set_create(stack_);
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  nc_set_watch(other, pair.second, NC_READ, nullptr);
  nc_set_watch(other, pair.second, 0, nullptr);
  Send(pair.first, "x");
  EXPECT_EQ(Wait(-1).events, NC_READ);
  nc_event event;
  EXPECT_EQ(nc_set_wait(other, &event, 1, 0), 0);
  nc_set_destroy(other);
}

TEST_P(SetTest, AMovedSocketIsReportedByItsNewSet) {
  const auto pair = Pair();
  nc_set* other = nc_set_create(stack_);
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  nc_set_watch(set_, pair.second, 0, nullptr);
  nc_set_watch(other, pair.second, NC_READ, nullptr);
  nc_event event;
  EXPECT_EQ(nc_set_wait(other, &event, 1, 0), 0);
  Send(pair.first, "x");
  EXPECT_EQ(nc_set_wait(other, &event, 1, -1), 1);
  nc_set_destroy(other);
}

TEST_P(SetTest, AClosedSocketLeavesItsSet) {
  const auto pair = Pair();
  nc_set_watch(set_, pair.second, NC_READ | NC_WRITE, nullptr);
  nc_close(pair.second);
  Wait(0);
  EXPECT_EQ(count_, 0);
}

TEST_P(SetTest, ASocketOutlivesItsSet) {
  const auto pair = Pair();
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  nc_set_destroy(set_);
  Send(pair.first, "x");
  EXPECT_EQ(Receive(pair.second, 1), "x");
  nc_set* again = nc_set_create(stack_);
  EXPECT_EQ(nc_set_watch(again, pair.second, NC_READ, nullptr), 0);
}

TEST_P(SetTest, EveryReadySocketGetsItsTurn) {
  std::vector<std::pair<nc_socket*, nc_socket*>> pairs;
  for (int i = 0; i < 4; ++i) {
    pairs.push_back(Pair());
    nc_set_watch(set_, pairs.back().first, NC_WRITE, nullptr);
  }
  std::vector<nc_socket*> seen;
  for (int i = 0; i < 4; ++i) seen.push_back(Wait(0).socket);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
}

TEST_P(SetTest, TwoThreadsShareASet) {
  std::vector<std::pair<nc_socket*, nc_socket*>> pairs;
  for (int i = 0; i < 4; ++i) {
    pairs.push_back(Pair());
    nc_set_watch(set_, pairs.back().second, NC_READ, nullptr);
  }
  std::atomic<int> echoed{0};
  auto serve = [&] {
    while (echoed.load() < 4 * 100) {
      nc_event events[2];
      const int count = nc_set_wait(set_, events, 2, 20);
      for (int i = 0; i < count; ++i) {
        char byte;
        if (nc_recv(events[i].socket, &byte, 1, MSG_DONTWAIT) != 1) continue;
        nc_send(events[i].socket, &byte, 1, 0);
        echoed.fetch_add(1);
      }
    }
  };
  std::thread one(serve), two(serve);
  for (int i = 0; i < 100; ++i) {
    for (const auto& pair : pairs) Send(pair.first, "x");
    for (const auto& pair : pairs) EXPECT_EQ(Receive(pair.first, 1), "x");
  }
  one.join();
  two.join();
}

TEST_P(SetTest, TheDescriptorIsReadableUntilWaitReturnsNothing) {
  const auto pair = Pair();
  nc_set_watch(set_, pair.second, NC_READ, nullptr);
  const int fd = nc_set_fd(set_);
  EXPECT_TRUE(Readable(fd));
  Wait(0);
  EXPECT_FALSE(Readable(fd));
  Send(pair.first, "x");
  pollfd poll_fd = {fd, POLLIN, 0};
  EXPECT_EQ(poll(&poll_fd, 1, -1), 1);
  EXPECT_EQ(Wait(0).socket, pair.second);
  EXPECT_TRUE(Readable(fd));
  Receive(pair.second, 1);
  Wait(0);
  EXPECT_FALSE(Readable(fd));
}

TEST_P(SetTest, TheDescriptorIsWrittenOnceUntilItIsLookedAt) {
  const auto pair = Pair();
  const int fd = nc_set_fd(set_);
  Wait(0);
  for (int i = 0; i < 3; ++i) {
    nc_set_watch(set_, pair.second, NC_WRITE, nullptr);
    nc_set_watch(set_, pair.second, 0, nullptr);
  }
  eventfd_t written = 0;
  ASSERT_EQ(eventfd_read(fd, &written), 0);
  EXPECT_EQ(written, 1u);
  // Looked at, it is written again.
  Wait(0);
  nc_set_watch(set_, pair.second, NC_WRITE, nullptr);
  EXPECT_TRUE(Readable(fd));
}

TEST_P(SetTest, TheDescriptorKeepsTheStackAtWork) {
  nc_set_fd(set_);
  Wait(0);
  EXPECT_TRUE(fake().HasThread());
}

TEST_P(SetTest, ALeavingStackEndsAWait) {
  std::thread world([&] { fake().Disconnect(); });
  Wait(-1);
  EXPECT_EQ(count_, -1);
  EXPECT_EQ(errno, ENETDOWN);
  world.join();
}

TEST_P(SetTest, NoRoomForEventsIsEinval) {
  nc_event event;
  EXPECT_EQ(nc_set_wait(set_, &event, 0, 0), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_P(SetTest, UnknownEventsAreEinval) {
  const auto pair = Pair();
  EXPECT_EQ(nc_set_watch(set_, pair.first, 32, nullptr), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_P(SetTest, SetsRunOutAndComeBack) {
  std::vector<nc_set*> sets;
  while (nc_set* set = nc_set_create(stack_)) sets.push_back(set);
  EXPECT_EQ(errno, EMFILE);
  EXPECT_EQ(sets.size(), 255u);
  nc_set_destroy(sets.back());
  EXPECT_NE(nc_set_create(stack_), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Client, SetTest, testing::Bool());

}  // namespace
}  // namespace netchannel
