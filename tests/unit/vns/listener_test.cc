// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "fake_network.h"

namespace netchannel {
namespace {

class ListenerTest : public testing::Test {
 protected:
  FakeNetwork net_;
  FakeHost& a_ = net_.a;
  FakeHost& b_ = net_.b;
};

TEST_F(ListenerTest, ConnectionsAreAcceptedInTheirOrder) {
  const SocketId listener = b_.Listen(80);
  const SocketId first = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  const SocketId second = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  EXPECT_EQ(b_.View(listener).accept_ready, 2u);
  EXPECT_EQ(b_.View(*b_.Accept(listener)).peer, a_.View(first).local);
  EXPECT_EQ(b_.View(*b_.Accept(listener)).peer, a_.View(second).local);
}

TEST_F(ListenerTest, AcceptWithoutConnectionsWouldBlock) {
  const SocketId listener = b_.Listen(80);
  EXPECT_EQ(b_.layer->Accept(listener).error, EAGAIN);
}

TEST_F(ListenerTest, AcceptNeedsAListener) {
  EXPECT_EQ(b_.layer->Accept(b_.Create()).error, EINVAL);
  EXPECT_EQ(b_.layer->Accept(999).error, EBADF);
}

// As with TCP, which repeats its SYN: a program that is slow to accept refuses nobody.
TEST_F(ListenerTest, WhoMeetsAFullBacklogGoesOnTrying) {
  const SocketId listener = b_.Listen(80, 2);
  SocketId clients[3];
  for (SocketId& client : clients) client = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  net_.Advance(Duration::Millis(500));
  EXPECT_EQ(b_.View(listener).accept_ready, 2u);
  EXPECT_EQ(a_.View(clients[2]).state, SocketState::kConnecting);
  EXPECT_GE(b_.layer->Stats().refused, 5u) << "2, 4, 8, ... ms after one another";
  EXPECT_LE(b_.layer->Stats().refused, 9u);
  b_.Accept(listener);
  net_.Advance(Duration::Millis(1000));
  EXPECT_EQ(a_.View(clients[2]).state, SocketState::kConnected);
}

TEST_F(ListenerTest, ABacklogThatStaysFullIsAConnectTimeout) {
  const SocketId listener = b_.Listen(80, 1);
  a_.Connect(net_.now, net_.server_endpoint());
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  net_.Advance(Duration::Millis(19900));
  EXPECT_EQ(a_.View(client).state, SocketState::kConnecting);
  net_.Advance(Duration::Millis(200));
  EXPECT_EQ(a_.View(client).error, ETIMEDOUT);
  b_.Accept(listener);
  net_.Advance(Duration::Seconds(5));
  EXPECT_EQ(b_.View(listener).accept_ready, 0u) << "given up for good";
}

TEST_F(ListenerTest, BytesWrittenBeforeTheAcceptOutliveAFullBacklog) {
  const SocketId listener = b_.Listen(80, 1);
  const SocketId first = a_.Connect(net_.now, net_.server_endpoint());
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  const std::string bytes = Pattern(60000);
  ASSERT_EQ(a_.Write(net_.now, client, bytes), bytes.size());
  net_.Run();
  net_.Advance(Duration::Millis(100));
  EXPECT_EQ(a_.View(client).acknowledged, 0u) << "their packets were, the stream was not taken";
  b_.Accept(listener);
  net_.Advance(Duration::Seconds(1));
  const auto server = b_.Accept(listener);
  ASSERT_TRUE(server.has_value());
  std::string read;
  while (read.size() < bytes.size()) {
    const std::string more = b_.Read(net_.now, *server);
    ASSERT_FALSE(more.empty());
    read += more;
    net_.Run();
  }
  EXPECT_EQ(read, bytes);
  EXPECT_EQ(a_.View(client).acknowledged, bytes.size());
  a_.Close(net_.now, first);
}

TEST_F(ListenerTest, ASocketThatWaitsForABacklogCanBeClosed) {
  const SocketId listener = b_.Listen(80, 1);
  const SocketId first = a_.Connect(net_.now, net_.server_endpoint());
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  net_.Advance(Duration::Millis(100));
  ASSERT_EQ(a_.View(client).state, SocketState::kConnecting);
  a_.Close(net_.now, client);
  EXPECT_EQ(a_.pool.in_use(), 1u);
  EXPECT_EQ(a_.layer->Stats().sockets, 1u);
  b_.Accept(listener);
  net_.Advance(Duration::Seconds(5));
  EXPECT_EQ(b_.View(listener).accept_ready, 0u);
  EXPECT_EQ(a_.View(first).state, SocketState::kConnected);
}

TEST_F(ListenerTest, ASessionThatBreaksWhileABacklogIsFullIsOpenedAgain) {
  const SocketId listener = b_.Listen(80, 1);
  a_.Connect(net_.now, net_.server_endpoint());
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  net_.Advance(Duration::Millis(100));
  net_.BreakSession(ECONNRESET);
  b_.Accept(listener);
  net_.Advance(Duration::Seconds(2));
  EXPECT_EQ(a_.View(client).state, SocketState::kConnected);
}

TEST_F(ListenerTest, ListenersThatShareAPortTakeConnectionsInTurn) {
  SocketOptions options;
  options.share_group = 1;
  SocketId listeners[3];
  for (SocketId& listener : listeners) {
    listener = b_.Create();
    ASSERT_EQ(b_.layer->SetOptions(listener, options), 0);
    ASSERT_EQ(b_.layer->Bind(listener, {wire::IpAddress{}, 80}), 0);
    ASSERT_EQ(b_.layer->Listen(listener, 2), 0);
  }
  for (int i = 0; i < 6; ++i) a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  for (const SocketId listener : listeners) EXPECT_EQ(b_.View(listener).accept_ready, 2u);
  // One that is full is passed over.
  b_.Accept(listeners[1]);
  a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  EXPECT_EQ(b_.View(listeners[1]).accept_ready, 2u);
  // What waits at one that goes, goes with it; new connections go to the others.
  b_.Close(net_.now, listeners[0]);
  b_.Accept(listeners[2]);
  const SocketId next = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  EXPECT_EQ(a_.View(next).state, SocketState::kConnected);
  EXPECT_EQ(b_.View(listeners[2]).accept_ready, 2u);
}

TEST_F(ListenerTest, ABacklogOfZeroHoldsOneConnection) {
  b_.Listen(80, 0);
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  EXPECT_EQ(a_.View(client).state, SocketState::kConnected);
}

TEST_F(ListenerTest, ClosingAListenerResetsTheConnectionsThatWait) {
  const SocketId listener = b_.Listen(80);
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  b_.Close(net_.now, listener);
  net_.Run();
  EXPECT_EQ(a_.View(client).error, ECONNRESET);
  EXPECT_EQ(b_.pool.in_use(), 0u);
  EXPECT_EQ(b_.layer->Stats().sockets, 0u);
}

TEST_F(ListenerTest, ClosingAListenerLeavesAcceptedConnections) {
  const auto pair = net_.Connected();
  b_.Close(net_.now, pair.listener);
  a_.Write(net_.now, pair.client, "still here");
  net_.Run();
  EXPECT_EQ(b_.Read(net_.now, pair.server), "still here");
  const SocketId late = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  EXPECT_EQ(a_.View(late).error, ECONNREFUSED);
}

TEST_F(ListenerTest, ShutdownOfAListenerWakesAccept) {
  const SocketId listener = b_.Listen(80);
  EXPECT_EQ(b_.layer->Shutdown(net_.now, listener, SocketLayer::Direction::kBoth), 0);
  EXPECT_EQ(b_.Changed(), std::vector<SocketId>{listener});
  EXPECT_EQ(b_.layer->Accept(listener).error, EINVAL);
}

TEST_F(ListenerTest, AConnectionResetWhileItWaitsIsAcceptedWithItsError) {
  const SocketId listener = b_.Listen(80);
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  a_.Write(net_.now, client, "last words");
  net_.Run();
  SocketOptions abort;
  abort.linger = true;
  a_.layer->SetOptions(client, abort);
  a_.Close(net_.now, client);
  net_.Run();
  const auto server = b_.Accept(listener);
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(b_.View(*server).error, ECONNRESET);
  EXPECT_EQ(b_.Read(net_.now, *server), "last words");
}

TEST_F(ListenerTest, WithoutMemoryForASocketThePeerIsRefused) {
  b_.Listen(80);
  b_.pool.capacity = 1;
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  EXPECT_EQ(a_.View(client).error, ECONNREFUSED);
}

TEST_F(ListenerTest, AFullSocketTableStillRefusesAloud) {
  FakeNetwork net({.max_sockets = 1});
  net.b.Listen(80);
  const SocketId client = net.a.Connect(net.now, net.server_endpoint());
  net.Run();
  EXPECT_EQ(net.a.View(client).error, ECONNREFUSED);
}

TEST_F(ListenerTest, ListenBindsAnUnboundSocket) {
  const SocketId listener = b_.Create();
  EXPECT_EQ(b_.layer->Listen(listener, 4), 0);
  EXPECT_GE(b_.View(listener).local.port, 32768);
  const SocketId client = a_.Connect(net_.now, {b_.address, b_.View(listener).local.port});
  net_.Run();
  EXPECT_EQ(a_.View(client).state, SocketState::kConnected);
}

TEST_F(ListenerTest, OnlyOneListensOnAPort) {
  b_.Listen(80);
  const SocketId second = b_.Create();
  EXPECT_EQ(b_.layer->Bind(second, {b_.address, 80}), EADDRINUSE);
}

TEST_F(ListenerTest, ListenAgainChangesTheBacklog) {
  const SocketId listener = b_.Listen(80, 1);
  EXPECT_EQ(b_.layer->Listen(listener, 2), 0);
  a_.Connect(net_.now, net_.server_endpoint());
  a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  EXPECT_EQ(b_.View(listener).accept_ready, 2u);
}

TEST_F(ListenerTest, AListenerOnTheIpv4WildcardRefusesIpv6Peers) {
  FakeNetwork net({.ipv6 = true});
  const SocketId listener = net.b.Create();
  ASSERT_EQ(net.b.layer->Bind(listener, {wire::IpAddress::V4(0), 80}), 0);
  ASSERT_EQ(net.b.layer->Listen(listener, 4), 0);
  const SocketId client = net.a.Connect(net.now, net.server_endpoint());
  net.Run();
  EXPECT_EQ(net.a.View(client).error, ECONNREFUSED);
}

TEST_F(ListenerTest, AListenerOnTheWildcardOfBothFamiliesTakesPeersOfBoth) {
  for (const bool ipv6 : {false, true}) {
    FakeNetwork net({.ipv6 = ipv6});
    const SocketId listener = net.b.Create();
    ASSERT_EQ(net.b.layer->Bind(listener, {wire::IpAddress{}, 80}), 0);
    ASSERT_EQ(net.b.layer->Listen(listener, 4), 0);
    const SocketId client = net.a.Connect(net.now, net.server_endpoint());
    net.Run();
    EXPECT_EQ(net.a.View(client).state, SocketState::kConnected);
    const auto server = net.b.Accept(listener);
    ASSERT_TRUE(server.has_value());
    EXPECT_EQ(net.b.View(*server).local, net.server_endpoint());
    EXPECT_EQ(net.b.View(listener).local, (wire::IpEndpoint{wire::IpAddress{}, 80}));
  }
}

TEST_F(ListenerTest, AConnectedSocketCannotListenOrBind) {
  const auto pair = net_.Connected();
  EXPECT_EQ(a_.layer->Listen(pair.client, 1), EINVAL);
  EXPECT_EQ(a_.layer->Bind(pair.client, {a_.address, 90}), EINVAL);
}

TEST_F(ListenerTest, AServerRestartsOnItsPort) {
  const auto pair = net_.Connected();
  b_.Close(net_.now, pair.listener);
  b_.Close(net_.now, pair.server);
  a_.Close(net_.now, pair.client);
  net_.Run();
  const SocketId again = b_.Create();
  EXPECT_EQ(b_.layer->Bind(again, {b_.address, 80}), 0);
  EXPECT_EQ(b_.layer->Listen(again, 1), 0);
}

}  // namespace
}  // namespace netchannel
