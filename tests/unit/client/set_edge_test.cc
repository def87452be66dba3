// SPDX-License-Identifier: Apache-2.0
//
// Edge-triggered and one-shot sets, with epoll's exact meanings; large sets.
#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "client/socket.h"
#include "client_fixture.h"

namespace netchannel {
namespace {

class SetEdgeTest : public ClientTest {
 protected:
  void SetUp() override {
    ClientTest::SetUp();
    set_ = nc_set_create(stack_);
    pair_ = Pair();
  }

  void Watch(nc_socket* socket, unsigned events) {
    ASSERT_EQ(nc_set_watch(set_, socket, events, nullptr), 0);
  }
  // What the one socket in the set is reported with; 0: it is not.
  unsigned Events(int timeout_ms) {
    nc_event event{};
    return nc_set_wait(set_, &event, 1, timeout_ms) == 1 ? event.events : 0;
  }
  // The bytes have arrived when this returns.
  void SendAndLet(const std::string& text) {
    const int before = Get(pair_.second, NC_RECEIVE_QUEUE);
    Send(pair_.first, text);
    Receive(pair_.second, static_cast<size_t>(before) + text.size(), MSG_PEEK | MSG_WAITALL);
    fake().Settle();
  }

  nc_set* set_ = nullptr;
  std::pair<nc_socket*, nc_socket*> pair_;
};

TEST_P(SetEdgeTest, AnArrivalIsReportedOnceThoughNothingIsRead) {
  Watch(pair_.second, NC_READ | NC_EDGE);
  SendAndLet("x");
  EXPECT_EQ(Events(0), NC_READ);
  EXPECT_EQ(Events(0), 0u);
}

TEST_P(SetEdgeTest, ANewArrivalIsANewEdgeThoughTheFirstIsUnread) {
  Watch(pair_.second, NC_READ | NC_EDGE);
  SendAndLet("x");
  EXPECT_EQ(Events(0), NC_READ);
  SendAndLet("y");
  EXPECT_EQ(Events(0), NC_READ);
  EXPECT_EQ(Events(0), 0u);
}

TEST_P(SetEdgeTest, ReadingAPartIsNoEdge) {
  Watch(pair_.second, NC_READ | NC_EDGE);
  SendAndLet("xyz");
  EXPECT_EQ(Events(0), NC_READ);
  Receive(pair_.second, 1);
  EXPECT_EQ(Events(0), 0u);
}

TEST_P(SetEdgeTest, AThreadThatWaitsWakesOnTheEdge) {
  Watch(pair_.second, NC_READ | NC_EDGE);
  for (int i = 0; i < 300; ++i) {
    Send(pair_.first, "x");
    EXPECT_EQ(Events(-1), NC_READ);
  }
}

TEST_P(SetEdgeTest, ReadyWhenAddedIsReportedOnce) {
  SendAndLet("x");
  Watch(pair_.second, NC_READ | NC_WRITE | NC_EDGE);
  EXPECT_EQ(Events(0), NC_READ | NC_WRITE);
  EXPECT_EQ(Events(0), 0u);
}

TEST_P(SetEdgeTest, WatchingAgainRearms) {
  SendAndLet("x");
  Watch(pair_.second, NC_READ | NC_EDGE);
  EXPECT_EQ(Events(0), NC_READ);
  Watch(pair_.second, NC_READ | NC_WRITE | NC_EDGE);
  EXPECT_EQ(Events(0), NC_READ | NC_WRITE);
  EXPECT_EQ(Events(0), 0u);
}

TEST_P(SetEdgeTest, AnEdgeReportsAllThatTheSocketIsReadyFor) {
  Watch(pair_.second, NC_READ | NC_WRITE | NC_EDGE);
  EXPECT_EQ(Events(0), NC_WRITE);
  SendAndLet("x");
  EXPECT_EQ(Events(0), NC_READ | NC_WRITE);
}

TEST_P(SetEdgeTest, AnAcknowledgementIsNoEdgeWhileThereWasRoom) {
  Watch(pair_.first, NC_WRITE | NC_EDGE);
  EXPECT_EQ(Events(0), NC_WRITE);
  SendAndLet("x");
  EXPECT_EQ(Events(0), 0u);
}

TEST_P(SetEdgeTest, RoomThatComesBackIsAnEdge) {
  Watch(pair_.first, NC_WRITE | NC_EDGE);
  EXPECT_EQ(Events(0), NC_WRITE);
  fake().HoldData(true);
  Fill(pair_.first);
  EXPECT_EQ(Events(0), 0u);
  fake().HoldData(false);
  EXPECT_EQ(Events(-1), NC_WRITE);
  EXPECT_EQ(Events(0), 0u);
}

// The application has seen no room, in a report of its own readiness, before it tried to write.
TEST_P(SetEdgeTest, RoomThatAReportShowedMissingIsAnEdgeWhenItComes) {
  fake().HoldData(true);
  Fill(pair_.first);
  Watch(pair_.first, NC_WRITE | NC_EDGE);
  EXPECT_EQ(Events(0), 0u);
  fake().HoldData(false);
  EXPECT_EQ(Events(-1), NC_WRITE);
}

TEST_P(SetEdgeTest, RoomIsAnEdgeWithASmallerBufferToo) {
  nc_setopt(pair_.first, NC_SEND_BUFFER, 8192);
  Watch(pair_.first, NC_WRITE | NC_EDGE);
  EXPECT_EQ(Events(0), NC_WRITE);
  fake().HoldData(true);
  EXPECT_EQ(Fill(pair_.first), 8192u);
  EXPECT_EQ(Events(0), 0u);
  fake().HoldData(false);
  EXPECT_EQ(Events(-1), NC_WRITE);
}

// A writer that fills the buffer and waits for the edge, until all is through: a lost edge hangs.
TEST_P(SetEdgeTest, NoWriteEdgeIsLost) {
  Watch(pair_.first, NC_WRITE | NC_EDGE);
  constexpr size_t kTotal = 4 << 20;
  std::thread reader([&] {
    std::vector<char> block(5000);
    for (size_t got = 0; got < kTotal;) {
      const ssize_t part = nc_recv(pair_.second, block.data(), block.size(), 0);
      ASSERT_GT(part, 0);
      got += static_cast<size_t>(part);
    }
  });
  const std::vector<char> block(3000);
  for (size_t sent = 0; sent < kTotal;) {
    const ssize_t part =
        nc_send(pair_.first, block.data(), std::min(block.size(), kTotal - sent), MSG_DONTWAIT);
    if (part > 0) {
      sent += static_cast<size_t>(part);
    } else {
      ASSERT_EQ(errno, EAGAIN);
      ASSERT_NE(Events(30000) & NC_WRITE, 0u);
    }
  }
  reader.join();
}

// A reader that drains and waits for the edge.
TEST_P(SetEdgeTest, NoReadEdgeIsLost) {
  Watch(pair_.second, NC_READ | NC_EDGE);
  constexpr size_t kTotal = 1 << 20;
  std::thread writer([&] {
    const std::vector<char> block(700);
    for (size_t sent = 0; sent < kTotal;) {
      const ssize_t part =
          nc_send(pair_.first, block.data(), std::min(block.size(), kTotal - sent), 0);
      ASSERT_GT(part, 0);
      sent += static_cast<size_t>(part);
    }
  });
  std::vector<char> block(4096);
  for (size_t got = 0; got < kTotal;) {
    const ssize_t part = nc_recv(pair_.second, block.data(), block.size(), MSG_DONTWAIT);
    if (part > 0) {
      got += static_cast<size_t>(part);
    } else {
      ASSERT_EQ(errno, EAGAIN);
      ASSERT_EQ(Events(30000), NC_READ);
    }
  }
  writer.join();
}

TEST_P(SetEdgeTest, EachConnectionIsAnEdgeOfItsListener) {
  Watch(listener_, NC_READ | NC_EDGE);
  for (int i = 0; i < 2; ++i) {
    nc_socket* socket = nc_socket_create(stack_, 0);
    ASSERT_EQ(Connect(socket, 7000), 0);
    EXPECT_EQ(Events(-1), NC_READ);
    EXPECT_EQ(Events(0), 0u);
  }
}

TEST_P(SetEdgeTest, ConnectedIsAnEdge) {
  nc_socket* socket = nc_socket_create(stack_, SOCK_NONBLOCK);
  fake().HoldConnects(true);
  ASSERT_EQ(Connect(socket, 7000), -1);
  Watch(socket, NC_READ | NC_WRITE | NC_EDGE);
  EXPECT_EQ(Events(0), 0u);
  fake().HoldConnects(false);
  EXPECT_EQ(Events(-1), NC_WRITE);
}

TEST_P(SetEdgeTest, TheEndOfTheStreamIsAnEdge) {
  Watch(pair_.second, NC_READ | NC_RDHUP | NC_EDGE);
  nc_shutdown(pair_.first, SHUT_WR);
  fake().Settle();  // a change that the stack is still telling of would be an edge of its own
  EXPECT_EQ(Events(0), NC_READ | NC_RDHUP);
  EXPECT_EQ(Events(0), 0u);
}

TEST_P(SetEdgeTest, ItsOwnShutdownIsAnEdge) {
  Watch(pair_.second, NC_READ | NC_EDGE);
  EXPECT_EQ(Events(0), 0u);
  nc_shutdown(pair_.second, SHUT_RDWR);
  EXPECT_EQ(Events(-1), NC_READ | NC_HANGUP);
}

TEST_P(SetEdgeTest, FailureIsAnEdge) {
  Watch(pair_.second, NC_READ | NC_EDGE);
  EXPECT_EQ(Events(0), 0u);
  fake().Reset(pair_.second->index, ECONNRESET);
  EXPECT_EQ(Events(-1), NC_READ | NC_HANGUP | NC_FAILED);
  EXPECT_EQ(Events(0), 0u);
}

TEST_P(SetEdgeTest, AOneShotIsReportedOnceThenNothing) {
  Watch(pair_.second, NC_READ | NC_ONESHOT);
  SendAndLet("x");
  EXPECT_EQ(Events(0), NC_READ);
  SendAndLet("y");
  EXPECT_EQ(Events(0), 0u);
  fake().Reset(pair_.second->index, ECONNRESET);
  EXPECT_EQ(Events(0), 0u);
}

TEST_P(SetEdgeTest, AOneShotWatchedAnewIsReportedIfItIsReady) {
  Watch(pair_.second, NC_READ | NC_ONESHOT);
  SendAndLet("x");
  EXPECT_EQ(Events(0), NC_READ);
  Watch(pair_.second, NC_READ | NC_ONESHOT);
  EXPECT_EQ(Events(0), NC_READ);
  Watch(pair_.second, NC_READ | NC_ONESHOT);
  Receive(pair_.second, 1);
  EXPECT_EQ(Events(0), 0u);
  SendAndLet("y");
  EXPECT_EQ(Events(0), NC_READ);
}

TEST_P(SetEdgeTest, EdgesThatDoNotFitAreReportedNextTime) {
  const auto other = Pair();
  Watch(pair_.second, NC_WRITE | NC_EDGE);
  Watch(other.second, NC_WRITE | NC_EDGE);
  nc_event first{}, second{};
  EXPECT_EQ(nc_set_wait(set_, &first, 1, 0), 1);
  EXPECT_EQ(nc_set_wait(set_, &second, 1, 0), 1);
  EXPECT_NE(first.socket, second.socket);
  EXPECT_EQ(nc_set_wait(set_, &first, 1, 0), 0);
}

TEST_P(SetEdgeTest, ASocketThatNobodyHasUsedHangsUpAsTheKernelsDoes) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  Watch(socket, NC_READ | NC_WRITE);
  EXPECT_EQ(Events(0), NC_WRITE | NC_HANGUP);
}

INSTANTIATE_TEST_SUITE_P(Client, SetEdgeTest, testing::Bool());

class LargeSetTest : public ClientTest {
 protected:
  // The shortest of some runs, of many waits that find one socket ready.
  std::chrono::nanoseconds WaitTime(nc_set* set, nc_socket* from, nc_socket* to) {
    auto best = std::chrono::nanoseconds::max();
    for (int run = 0; run < 5; ++run) {
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < 200; ++i) {
        nc_event event{};
        Send(from, "x");
        EXPECT_EQ(nc_set_wait(set, &event, 1, -1), 1);
        EXPECT_EQ(event.socket, to);
        EXPECT_EQ(Receive(to, 1), "x");
        EXPECT_EQ(nc_set_wait(set, &event, 1, 0), 0);
      }
      best = std::min<std::chrono::nanoseconds>(best, std::chrono::steady_clock::now() - start);
    }
    return best;
  }
};

// A wait that looked at each socket would take a thousand times as long.
TEST_P(LargeSetTest, TenThousandSocketsCostAWaitNoMoreThanTen) {
  Start({.shape = {.socket_count = 16384, .ring_bytes = 4096}});
  nc_set* small = nc_set_create(stack_);
  nc_set* large = nc_set_create(stack_);
  const auto active = Pair();
  for (int i = 0; i < 5000; ++i) {
    const auto idle = Pair();
    ASSERT_EQ(nc_set_watch(large, idle.first, NC_READ, nullptr), 0);
    ASSERT_EQ(nc_set_watch(large, idle.second, NC_READ, nullptr), 0);
    if (i < 5) nc_set_watch(small, idle.first, NC_READ, nullptr);
  }
  nc_set_watch(small, active.second, NC_READ, nullptr);
  nc_set_watch(large, active.second, NC_READ, nullptr);
  nc_event event;
  EXPECT_EQ(nc_set_wait(large, &event, 1, 0), 0);
  EXPECT_EQ(nc_set_wait(small, &event, 1, 0), 0);
  const auto of_small = WaitTime(small, active.first, active.second);
  const auto of_large = WaitTime(large, active.first, active.second);
  EXPECT_LT(of_large, of_small * 10);
}

INSTANTIATE_TEST_SUITE_P(Client, LargeSetTest, testing::Bool());

}  // namespace
}  // namespace netchannel
