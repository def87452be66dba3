// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "client/socket.h"
#include "client_fixture.h"

namespace netchannel {
namespace {

using CloseTest = ClientTest;

TEST_P(CloseTest, HalfCloseEndsOneDirectionOnly) {
  const auto pair = Pair();
  Send(pair.first, "question");
  nc_shutdown(pair.first, SHUT_WR);
  EXPECT_EQ(Receive(pair.second, 100), "question");
  EXPECT_EQ(Send(pair.second, "answer"), 6);
  EXPECT_EQ(Receive(pair.first, 6), "answer");
}

TEST_P(CloseTest, EndOfStreamIsSeenAgainAndAgain) {
  const auto pair = Pair();
  nc_shutdown(pair.first, SHUT_WR);
  char byte;
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, 0), 0);
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, MSG_DONTWAIT), 0);
}

TEST_P(CloseTest, SendAfterShutdownIsEpipe) {
  const auto pair = Pair();
  nc_shutdown(pair.first, SHUT_WR);
  EXPECT_EQ(Send(pair.first, "x"), -1);
  EXPECT_EQ(errno, EPIPE);
}

TEST_P(CloseTest, ShutdownOfReadingWakesAReader) {
  const auto pair = Pair();
  std::atomic<ssize_t> result{-2};
  std::thread reader([&] {
    char byte;
    result.store(nc_recv(pair.second, &byte, 1, 0));
  });
  nc_shutdown(pair.second, SHUT_RD);
  reader.join();
  EXPECT_EQ(result.load(), 0);
}

TEST_P(CloseTest, ShutdownOfAnUnconnectedSocketIsEnotconnAndChangesNothing) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  EXPECT_EQ(nc_shutdown(socket, SHUT_RDWR), -1);
  EXPECT_EQ(errno, ENOTCONN);
  nc_socket* listener = Listen(7200);
  ASSERT_EQ(Connect(socket, 7200), 0);
  EXPECT_EQ(Send(socket, "x"), 1);
  nc_close(listener);
}

TEST_P(CloseTest, ShutdownInNoDirectionIsEinval) {
  const auto pair = Pair();
  EXPECT_EQ(nc_shutdown(pair.first, 7), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_P(CloseTest, BytesWrittenBeforeCloseArriveAfterIt) {
  const auto pair = Pair();
  fake().HoldData(true);
  Send(pair.first, "last words");
  nc_close(pair.first);
  fake().HoldData(false);
  EXPECT_EQ(Receive(pair.second, 100), "last words");
}

TEST_P(CloseTest, LingerWaitsForDelivery) {
  const auto pair = Pair();
  nc_setopt(pair.first, NC_LINGER_MS, 60 * 1000);
  const std::string sent(16 * 1024, 'x');
  Send(pair.first, sent);
  nc_close(pair.first);
  // All of it is in the receiver's buffer: nothing more has to move.
  fake().HoldData(true);
  EXPECT_EQ(Receive(pair.second, sent.size(), MSG_DONTWAIT).size(), sent.size());
}

TEST_P(CloseTest, LingerEndsAtItsTimeout) {
  const auto pair = Pair();
  fake().HoldData(true);
  nc_setopt(pair.first, NC_LINGER_MS, 5);
  Send(pair.first, "x");
  EXPECT_EQ(nc_close(pair.first), 0);
  fake().HoldData(false);
  EXPECT_EQ(Receive(pair.second, 1), "x");
}

TEST_P(CloseTest, LingerOfZeroResets) {
  const auto pair = Pair();
  nc_setopt(pair.first, NC_LINGER_MS, 0);
  nc_close(pair.first);
  char byte;
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_P(CloseTest, AResetIsReportedOnceThenTheStreamIsOver) {
  const auto pair = Pair();
  fake().Reset(pair.second->index, ETIMEDOUT);
  char byte;
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, 0), 0);
  EXPECT_EQ(Send(pair.second, "x"), -1);
  EXPECT_EQ(errno, EPIPE);
}

TEST_P(CloseTest, BytesThatArrivedBeforeAResetAreReadFirst) {
  const auto pair = Pair();
  Send(pair.first, "early");
  EXPECT_EQ(Receive(pair.second, 5, MSG_PEEK | MSG_WAITALL), "early");
  fake().Reset(pair.second->index, ECONNRESET);
  EXPECT_EQ(Receive(pair.second, 5), "early");
  char byte;
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, 0), -1);
}

TEST_P(CloseTest, AResetWakesABlockedSender) {
  const auto pair = Pair();
  fake().HoldData(true);
  Fill(pair.first);
  std::thread world([&] { fake().Reset(pair.first->index, ETIMEDOUT); });
  EXPECT_EQ(Send(pair.first, "x"), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  world.join();
}

TEST_P(CloseTest, ALeavingStackWakesAReader) {
  const auto pair = Pair();
  std::thread world([&] { fake().Disconnect(); });
  char byte;
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ENETDOWN);
  world.join();
}

TEST_P(CloseTest, CallsToAStackThatLeftAreEnetdown) {
  fake().Disconnect();
  EXPECT_EQ(nc_socket_create(stack_, 0), nullptr);
  EXPECT_EQ(errno, ENETDOWN);
}

TEST_P(CloseTest, SlotsComeBack) {
  for (int i = 0; i < 200; ++i) {
    const auto pair = Pair();
    Send(pair.first, "x");
    EXPECT_EQ(Receive(pair.second, 1), "x");
    nc_close(pair.first);
    nc_close(pair.second);
  }
  EXPECT_EQ(fake().OpenSlots(), 1u);  // the listener
}

TEST_P(CloseTest, StoppingTheStackClosesWhatIsOpen) {
  Pair();
  nc_set* set = nc_set_create(stack_);
  nc_set_watch(set, listener_, NC_READ, nullptr);
  nc_stack_stop(std::exchange(stack_, nullptr));
  EXPECT_EQ(FakeStack::current, nullptr);
}

TEST_P(CloseTest, ASlotUsedAgainStartsAtZero) {
  const auto first = Pair();
  Send(first.first, "old bytes");
  EXPECT_EQ(Receive(first.second, 9), "old bytes");
  nc_close(first.first);
  nc_close(first.second);
  const auto second = Pair();
  Send(second.first, "new");
  EXPECT_EQ(Receive(second.second, 3), "new");
  EXPECT_EQ(Get(second.second, NC_RECEIVE_QUEUE), 0);
}

INSTANTIATE_TEST_SUITE_P(Client, CloseTest, testing::Bool());

}  // namespace
}  // namespace netchannel
