// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>

#include "fake_network.h"

namespace netchannel {
namespace {

using Direction = SocketLayer::Direction;

class EndingTest : public testing::Test {
 protected:
  void SetUp() override { pair_ = net_.Connected(); }
  void CloseAbruptly(FakeHost& host, SocketId socket) {
    SocketOptions options;
    options.linger = true;
    ASSERT_EQ(host.layer->SetOptions(socket, options), 0);
    host.Close(net_.now, socket);
  }
  // Nothing but the listener is left anywhere.
  void ExpectBaseline() {
    EXPECT_EQ(a_.layer->Stats().sockets, 0u);
    EXPECT_EQ(b_.layer->Stats().sockets, 1u);
    EXPECT_EQ(a_.streams.in_use(), 0u);
    EXPECT_EQ(b_.streams.in_use(), 0u);
    EXPECT_EQ(a_.pool.in_use(), 0u);
    EXPECT_EQ(b_.pool.in_use(), 1u);
    EXPECT_EQ(a_.port.references, 0);
    EXPECT_EQ(b_.port.references, 0);
  }

  FakeNetwork net_;
  FakeHost& a_ = net_.a;
  FakeHost& b_ = net_.b;
  FakeNetwork::Pair pair_;
};

TEST_F(EndingTest, HalfCloseEndsOneDirectionOnly) {
  a_.Write(net_.now, pair_.client, "request");
  ASSERT_EQ(a_.layer->Shutdown(net_.now, pair_.client, Direction::kWrite), 0);
  net_.Run();
  EXPECT_EQ(b_.Read(net_.now, pair_.server), "request");
  EXPECT_TRUE(b_.AtEnd(pair_.server));
  EXPECT_EQ(b_.View(pair_.server).state, SocketState::kConnected);
  b_.Write(net_.now, pair_.server, "response");
  net_.Run();
  EXPECT_EQ(a_.Read(net_.now, pair_.client), "response");
  EXPECT_FALSE(a_.AtEnd(pair_.client));
}

TEST_F(EndingTest, NothingIsWrittenAfterHalfClose) {
  ASSERT_EQ(a_.layer->Shutdown(net_.now, pair_.client, Direction::kWrite), 0);
  EXPECT_EQ(a_.layer->OnWritten(net_.now, pair_.client, 1), EPROTO);
}

TEST_F(EndingTest, BothHalfClosesEndTheStreamInOrder) {
  a_.layer->Shutdown(net_.now, pair_.client, Direction::kWrite);
  net_.Run();
  b_.layer->Shutdown(net_.now, pair_.server, Direction::kWrite);
  net_.Run();
  EXPECT_EQ(a_.View(pair_.client).state, SocketState::kClosed);
  EXPECT_EQ(a_.View(pair_.client).error, 0);
  EXPECT_EQ(b_.View(pair_.server).state, SocketState::kClosed);
  EXPECT_EQ(a_.streams.in_use(), 0u);
}

TEST_F(EndingTest, WhatWasReceivedCanBeReadAfterTheEnd) {
  a_.Write(net_.now, pair_.client, "tail");
  a_.Close(net_.now, pair_.client);
  b_.layer->Shutdown(net_.now, pair_.server, Direction::kWrite);
  net_.Run();
  EXPECT_EQ(b_.View(pair_.server).state, SocketState::kClosed);
  EXPECT_EQ(b_.Read(net_.now, pair_.server), "tail");
  EXPECT_TRUE(b_.AtEnd(pair_.server));
}

TEST_F(EndingTest, SimultaneousCloseEndsBoth) {
  a_.Close(net_.now, pair_.client);
  b_.Close(net_.now, pair_.server);
  net_.Run();
  ExpectBaseline();
}

TEST_F(EndingTest, ClosedBytesAreDelivered) {
  const std::string bytes = Pattern(60000);  // more than the peer's window
  ASSERT_EQ(a_.Write(net_.now, pair_.client, bytes), bytes.size());
  a_.Close(net_.now, pair_.client);
  std::string got;
  for (int i = 0; i < 1000 && got.size() < bytes.size(); ++i) {
    net_.Run();
    got += b_.Read(net_.now, pair_.server, 3000);
  }
  EXPECT_EQ(got, bytes);
  net_.Run();
  EXPECT_TRUE(b_.AtEnd(pair_.server));
  EXPECT_EQ(b_.View(pair_.server).error, 0);
}

TEST_F(EndingTest, TheBuffersOfAnOrphanReturnWhenAllIsAcknowledged) {
  net_.hold_acks = true;
  a_.Write(net_.now, pair_.client, "data");
  a_.Close(net_.now, pair_.client);
  net_.Run();
  EXPECT_EQ(a_.pool.in_use(), 1u);
  net_.hold_acks = false;
  net_.Run();
  EXPECT_EQ(a_.pool.in_use(), 0u);
}

TEST_F(EndingTest, AClosedSocketsNumberIsNotTheApplicationsAnyMore) {
  a_.Write(net_.now, pair_.client, "data");
  a_.Close(net_.now, pair_.client);
  EXPECT_EQ(a_.layer->View(pair_.client), nullptr);
  EXPECT_EQ(a_.layer->OnWritten(net_.now, pair_.client, 5), EBADF);
  EXPECT_EQ(a_.layer->Shutdown(net_.now, pair_.client, Direction::kBoth), EBADF);
  EXPECT_EQ(a_.layer->OwnerOf(pair_.client), std::nullopt);
  net_.Run();
  EXPECT_TRUE(a_.Changed().empty());
}

TEST_F(EndingTest, AnOrphanWaitsForThePeersFin) {
  a_.Close(net_.now, pair_.client);
  net_.Run();
  EXPECT_EQ(a_.streams.in_use(), 1u);
  b_.Close(net_.now, pair_.server);
  net_.Run();
  ExpectBaseline();
}

TEST_F(EndingTest, AnOrphanGivesUpOnThePeersFin) {
  a_.Close(net_.now, pair_.client);
  net_.Run();
  net_.Advance(Duration::Seconds(59));
  EXPECT_EQ(a_.streams.in_use(), 1u);
  net_.Advance(Duration::Seconds(2));
  EXPECT_EQ(a_.streams.in_use(), 0u);
  // The peer knows that nobody will read what it writes.
  EXPECT_EQ(b_.View(pair_.server).error, ECONNRESET);
  b_.Close(net_.now, pair_.server);
  net_.Run();
  ExpectBaseline();
}

TEST_F(EndingTest, AFinThatIsAcknowledgedBeforeItsBytesDoesNotEndTheStream) {
  a_.layer->Shutdown(net_.now, pair_.client, Direction::kWrite);
  net_.Run();
  net_.hold_acks = true;
  b_.Write(net_.now, pair_.server, Pattern(5000));
  b_.layer->Shutdown(net_.now, pair_.server, Direction::kWrite);
  net_.Run();
  auto& acks = net_.wires[1].acks;
  ASSERT_TRUE(acks.back().fin);
  b_.layer->OnDriverEvent(net_.now, {.kind = DriverEvent::Kind::kAcknowledged,
                                     .session = b_.port.handle,
                                     .segment = acks.back()});
  acks.pop_back();
  EXPECT_EQ(b_.View(pair_.server).state, SocketState::kConnected);
  net_.hold_acks = false;
  net_.Run();
  EXPECT_EQ(b_.View(pair_.server).state, SocketState::kClosed);
  EXPECT_EQ(b_.View(pair_.server).acknowledged, 5000u);
}

TEST_F(EndingTest, AnOrphanThatCannotDeliverIsReset) {
  a_.Write(net_.now, pair_.client, Pattern(60000));  // the peer never reads
  a_.Close(net_.now, pair_.client);
  net_.Run();
  net_.Advance(Duration::Seconds(61));
  EXPECT_EQ(a_.layer->Stats().sockets, 0u);
  EXPECT_EQ(a_.pool.in_use(), 0u);
  EXPECT_EQ(b_.View(pair_.server).error, ETIMEDOUT);
}

TEST_F(EndingTest, ASlowReaderOfAnOrphanGetsEverything) {
  const std::string bytes = Pattern(60000);
  a_.Write(net_.now, pair_.client, bytes);
  a_.Close(net_.now, pair_.client);
  std::string got;
  for (int i = 0; i < 20; ++i) {
    net_.Run();
    got += b_.Read(net_.now, pair_.server, 4096);
    net_.Run();
    net_.Advance(Duration::Seconds(10));
  }
  EXPECT_EQ(got, bytes);
}

TEST_F(EndingTest, CloseWithUnreadDataResetsThePeer) {
  b_.Write(net_.now, pair_.server, "unread");
  net_.Run();
  a_.Close(net_.now, pair_.client);
  net_.Run();
  EXPECT_EQ(b_.View(pair_.server).state, SocketState::kClosed);
  EXPECT_EQ(b_.View(pair_.server).error, ECONNRESET);
  EXPECT_EQ(a_.layer->Stats().sockets, 0u);
}

TEST_F(EndingTest, CloseWithUnreadDataStillDeliversWhatWasWritten) {
  b_.Write(net_.now, pair_.server, "unread");
  net_.Run();
  a_.Write(net_.now, pair_.client, "the answer");
  a_.Close(net_.now, pair_.client);
  net_.Run();
  EXPECT_EQ(b_.View(pair_.server).error, ECONNRESET);
  EXPECT_EQ(b_.Read(net_.now, pair_.server), "the answer");
}

TEST_F(EndingTest, DataForAClosedSocketResetsThePeer) {
  a_.Close(net_.now, pair_.client);
  net_.Run();
  EXPECT_EQ(b_.View(pair_.server).error, 0);
  b_.Write(net_.now, pair_.server, "too late");
  net_.Run();
  EXPECT_EQ(b_.View(pair_.server).error, ECONNRESET);
  EXPECT_EQ(a_.layer->Stats().sockets, 0u);
}

TEST_F(EndingTest, APeerThatSendsWithoutReadingDoesNotDeadlockAnOrphan) {
  a_.Write(net_.now, pair_.client, Pattern(60000));
  b_.Write(net_.now, pair_.server, Pattern(60000));
  a_.Close(net_.now, pair_.client);
  std::string got;
  for (int i = 0; i < 100; ++i) {
    net_.Run();
    got += b_.Read(net_.now, pair_.server);
  }
  EXPECT_EQ(got, Pattern(60000));
  EXPECT_EQ(b_.View(pair_.server).error, ECONNRESET);
}

TEST_F(EndingTest, LingerOfZeroAborts) {
  a_.Write(net_.now, pair_.client, Pattern(60000));
  net_.hold_packets = true;
  CloseAbruptly(a_, pair_.client);
  EXPECT_EQ(a_.pool.in_use(), 0u);
  net_.hold_packets = false;
  net_.Run();
  EXPECT_EQ(b_.View(pair_.server).error, ECONNRESET);
  EXPECT_EQ(b_.View(pair_.server).received, 0u);
  EXPECT_EQ(a_.layer->Stats().sockets, 0u);
}

TEST_F(EndingTest, AfterAResetNothingIsWritten) {
  CloseAbruptly(a_, pair_.client);
  net_.Run();
  EXPECT_EQ(b_.layer->OnWritten(net_.now, pair_.server, 5), EPIPE);
  EXPECT_EQ(b_.layer->Shutdown(net_.now, pair_.server, Direction::kWrite), ENOTCONN);
}

TEST_F(EndingTest, ReceivedBytesSurviveAReset) {
  a_.Write(net_.now, pair_.client, "before");
  net_.Run();
  CloseAbruptly(a_, pair_.client);
  net_.Run();
  EXPECT_EQ(b_.View(pair_.server).error, ECONNRESET);
  EXPECT_EQ(b_.Read(net_.now, pair_.server), "before");
}

TEST_F(EndingTest, SimultaneousAbortsEndBoth) {
  CloseAbruptly(a_, pair_.client);
  CloseAbruptly(b_, pair_.server);
  net_.Run();
  ExpectBaseline();
}

TEST_F(EndingTest, ShutdownOfReadingEndsTheReaderAndNotItsPeer) {
  b_.Write(net_.now, pair_.server, "one");
  net_.Run();
  ASSERT_EQ(a_.layer->Shutdown(net_.now, pair_.client, Direction::kRead), 0);
  b_.Write(net_.now, pair_.server, Pattern(60000));
  net_.Run();
  EXPECT_EQ(b_.View(pair_.server).acknowledged, 60003u);
  EXPECT_EQ(b_.View(pair_.server).error, 0);
  EXPECT_EQ(a_.Read(net_.now, pair_.client), "one");
  EXPECT_TRUE(a_.AtEnd(pair_.client));
  a_.Write(net_.now, pair_.client, "still writing");
  net_.Run();
  EXPECT_EQ(b_.Read(net_.now, pair_.server), "still writing");
}

TEST_F(EndingTest, ShutdownNeedsAConnection) {
  EXPECT_EQ(a_.layer->Shutdown(net_.now, a_.Create(), Direction::kWrite), ENOTCONN);
}

TEST_F(EndingTest, ShutdownOfWritingTwiceIsHarmless) {
  EXPECT_EQ(a_.layer->Shutdown(net_.now, pair_.client, Direction::kWrite), 0);
  net_.Run();
  EXPECT_EQ(a_.layer->Shutdown(net_.now, pair_.client, Direction::kWrite), 0);
}

TEST_F(EndingTest, FinDoesNotOvertakeData) {
  FakeNetwork net({.seed = 3, .faults = {.reorder = 1.0}});
  const auto pair = net.Connected();
  net.a.Write(net.now, pair.client, Pattern(30000));
  net.a.layer->Shutdown(net.now, pair.client, Direction::kWrite);
  while (net.Round()) {
    if (net.b.View(pair.server).peer_fin) {
      EXPECT_EQ(net.b.View(pair.server).received, 30000u);
    }
  }
  EXPECT_TRUE(net.b.View(pair.server).peer_fin);
}

TEST_F(EndingTest, ALateCopyAfterAnOrderlyEndIsNoError) {
  // b forgets the stream while a's FIN is not acknowledged to a yet; then a copy of a's data comes.
  a_.Write(net_.now, pair_.client, "data");
  net_.PumpAndSend();
  const FakePacket copy = net_.wires[0].packets.front();
  net_.Run();
  b_.Read(net_.now, pair_.server);
  b_.layer->Shutdown(net_.now, pair_.server, Direction::kWrite);
  net_.Run();
  net_.hold_acks = true;
  a_.layer->Shutdown(net_.now, pair_.client, Direction::kWrite);
  net_.Run();
  b_.Close(net_.now, pair_.server);
  for (const Segment& s : std::exchange(net_.wires[1].acks, {})) {
    b_.layer->OnDriverEvent(
        net_.now,
        {.kind = DriverEvent::Kind::kAcknowledged, .session = b_.port.handle, .segment = s});
  }
  ASSERT_EQ(b_.streams.in_use(), 0u);
  net_.wires[0].packets.push_back(copy);
  net_.Run();
  EXPECT_EQ(a_.View(pair_.client).state, SocketState::kClosed);
  EXPECT_EQ(a_.View(pair_.client).error, 0);
}

TEST_F(EndingTest, CloseWhileConnectingTellsThePeer) {
  net_.hold_packets = true;
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  a_.Close(net_.now, client);
  net_.hold_packets = false;
  net_.Run();
  const auto server = b_.Accept(pair_.listener);
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(b_.View(*server).error, ECONNRESET);
}

TEST_F(EndingTest, BytesWrittenWhileConnectingAreDeliveredAfterClose) {
  net_.hold_packets = true;
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  a_.Write(net_.now, client, "fire and forget");
  a_.Close(net_.now, client);
  net_.hold_packets = false;
  net_.Run();
  const auto server = b_.Accept(pair_.listener);
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(b_.Read(net_.now, *server), "fire and forget");
  EXPECT_TRUE(b_.AtEnd(*server));
}

TEST_F(EndingTest, AnApplicationThatDiesIsAborted) {
  a_.Write(net_.now, pair_.client, "data");
  const SocketId other = a_.Create(2);
  a_.Create(1);
  a_.layer->CloseAll(net_.now, 1);
  EXPECT_EQ(a_.pool.in_use(), 1u);
  EXPECT_EQ(a_.layer->OwnerOf(other), 2u);
  net_.Run();
  EXPECT_EQ(b_.View(pair_.server).error, ECONNRESET);
  EXPECT_EQ(a_.layer->Stats().sockets, 1u);
}

TEST_F(EndingTest, AnApplicationThatDiesTakesItsOrphansAndListenersAlong) {
  a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();  // waits in b's backlog
  b_.Write(net_.now, pair_.server, Pattern(60000));
  b_.Close(net_.now, pair_.server);
  net_.Run();
  b_.layer->CloseAll(net_.now, 1);
  EXPECT_EQ(b_.pool.in_use(), 0u);
  net_.Run();
  EXPECT_EQ(b_.layer->Stats().sockets, 0u);
  EXPECT_EQ(a_.View(pair_.client).error, ECONNRESET);
}

TEST_F(EndingTest, AllMemoryReturnsAfterManyConnections) {
  a_.Close(net_.now, pair_.client);
  b_.Close(net_.now, pair_.server);
  for (int i = 0; i < 200; ++i) {
    const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
    net_.Run();
    const SocketId server = *b_.Accept(pair_.listener);
    a_.Write(net_.now, client, "ping");
    net_.Run();
    b_.Read(net_.now, server);
    a_.Close(net_.now, client);
    b_.Close(net_.now, server);
    net_.Run();
  }
  ExpectBaseline();
}

}  // namespace
}  // namespace netchannel
