// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "fake_network.h"

namespace netchannel {
namespace {

class OpeningTest : public testing::Test {
 protected:
  size_t Segments(const FakeHost& host, SegmentKind kind) {
    size_t count = 0;
    for (const Segment& s : host.port.enqueued_log) count += s.kind == kind ? 1 : 0;
    return count;
  }
  FakeNetwork net_;
  FakeHost& a_ = net_.a;
  FakeHost& b_ = net_.b;
};

TEST_F(OpeningTest, ConnectMeetsAListener) {
  const SocketId listener = b_.Listen(80);
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  EXPECT_EQ(a_.View(client).state, SocketState::kConnecting);
  net_.Run();
  EXPECT_EQ(a_.View(client).state, SocketState::kConnected);
  EXPECT_EQ(b_.View(listener).accept_ready, 1u);
  const auto server = b_.Accept(listener);
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(b_.View(*server).state, SocketState::kConnected);
  EXPECT_EQ(b_.View(listener).accept_ready, 0u);
}

TEST_F(OpeningTest, BothEndsKnowBothNames) {
  const auto pair = net_.Connected();
  EXPECT_EQ(a_.View(pair.client).peer, net_.server_endpoint());
  EXPECT_EQ(b_.View(pair.server).local, net_.server_endpoint());
  EXPECT_EQ(a_.View(pair.client).local.address, a_.address);
  EXPECT_EQ(a_.View(pair.client).local, b_.View(pair.server).peer);
  EXPECT_NE(a_.View(pair.client).local.port, 0);
}

TEST_F(OpeningTest, OpenGoesAloneWhenThereIsNoData) {
  net_.Connected();
  EXPECT_EQ(Segments(a_, SegmentKind::kOpen), 1u);
  EXPECT_EQ(Segments(a_, SegmentKind::kData), 0u);
}

TEST_F(OpeningTest, DataWrittenBeforeTheSessionIsUpGoesWithTheOpen) {
  b_.Listen(80);
  net_.hold_handshake = true;
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  a_.Write(net_.now, client, "hello");
  net_.Run();
  EXPECT_EQ(a_.port.enqueued_log.size(), 0u);
  net_.hold_handshake = false;
  net_.hold_packets = true;
  net_.Run();
  ASSERT_EQ(a_.port.enqueued_log.size(), 1u);
  EXPECT_EQ(a_.port.enqueued_log[0].kind, SegmentKind::kData);
  EXPECT_TRUE(a_.port.enqueued_log[0].with_open);
}

TEST_F(OpeningTest, EarlyDataWaitsForTheReader) {
  const SocketId listener = b_.Listen(80);
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  a_.Write(net_.now, client, "hello");
  net_.Run();
  const auto server = b_.Accept(listener);
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(b_.Read(net_.now, *server), "hello");
}

TEST_F(OpeningTest, BeforeTheAcceptOnlyTheEarlyLimitIsSent) {
  b_.Listen(80);
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.hold_packets = true;
  a_.Write(net_.now, client, Pattern(60000));
  net_.Run();
  ByteCount sent = 0;
  for (const Segment& s : a_.port.enqueued_log) sent += s.length;
  EXPECT_EQ(sent, 16u * 1024);
}

TEST_F(OpeningTest, EachDataSegmentCarriesTheOpenUntilTheAccept) {
  b_.Listen(80);
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.hold_packets = true;
  a_.Write(net_.now, client, "one");
  net_.Run();
  a_.Write(net_.now, client, "two");
  net_.Run();
  net_.hold_packets = false;
  net_.Run();
  a_.Write(net_.now, client, "three");
  net_.Run();
  ASSERT_EQ(a_.port.enqueued_log.size(), 3u);
  EXPECT_TRUE(a_.port.enqueued_log[0].with_open);
  EXPECT_TRUE(a_.port.enqueued_log[1].with_open);
  EXPECT_FALSE(a_.port.enqueued_log[2].with_open);
}

TEST_F(OpeningTest, AClosedPortRefuses) {
  const SocketId client = a_.Connect(net_.now, {b_.address, 81});
  net_.Run();
  EXPECT_EQ(a_.View(client).state, SocketState::kClosed);
  EXPECT_EQ(a_.View(client).error, ECONNREFUSED);
}

TEST_F(OpeningTest, TheErrorStaysUntilItIsSeen) {
  const SocketId client = a_.Connect(net_.now, {b_.address, 81});
  net_.Run();
  net_.Run();
  EXPECT_EQ(a_.View(client).error, ECONNREFUSED);
  a_.layer->ClearError(client);
  EXPECT_EQ(a_.View(client).error, 0);
}

TEST_F(OpeningTest, ARefusedSocketMayConnectAgain) {
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  ASSERT_EQ(a_.View(client).error, ECONNREFUSED);
  b_.Listen(80);
  EXPECT_EQ(a_.layer->Connect(net_.now, client, net_.server_endpoint()), EINPROGRESS);
  net_.Run();
  EXPECT_EQ(a_.View(client).state, SocketState::kConnected);
  EXPECT_EQ(a_.View(client).error, 0);
}

TEST_F(OpeningTest, ConnectInTheWrongStateSaysSo) {
  const auto pair = net_.Connected();
  EXPECT_EQ(a_.layer->Connect(net_.now, pair.client, net_.server_endpoint()), EISCONN);
  EXPECT_EQ(b_.layer->Connect(net_.now, pair.listener, {a_.address, 80}), EISCONN);
  net_.hold_packets = true;
  const SocketId second = a_.Connect(net_.now, net_.server_endpoint());
  EXPECT_EQ(a_.layer->Connect(net_.now, second, net_.server_endpoint()), EALREADY);
  EXPECT_EQ(a_.layer->Connect(net_.now, 12345, net_.server_endpoint()), EBADF);
}

TEST_F(OpeningTest, AnUnreachableStackIsReportedAtOnce) {
  a_.port.refuse_connect = absl::UnavailableError("no route");
  a_.Connect(net_.now, net_.server_endpoint(), EHOSTUNREACH);
  EXPECT_EQ(a_.port.references, 0);
}

TEST_F(OpeningTest, TheOwnHostIsNotReachedThroughTheStack) {
  a_.Connect(net_.now, {a_.address, 80}, EPROTONOSUPPORT);
  a_.Connect(net_.now, {wire::IpAddress::V4(0), 80}, EPROTONOSUPPORT);
  a_.Connect(net_.now, {*wire::IpAddress::Parse("fd00::1"), 80}, EPROTONOSUPPORT);
}

SocketId CreateProbing(FakeHost& host) {
  const SocketId socket = host.Create(7);
  SocketOptions options;
  options.probe = true;
  EXPECT_EQ(host.layer->SetOptions(socket, options), 0);
  return socket;
}

TEST_F(OpeningTest, WithoutNetChannelAtThePeerAProbingConnectSaysSoAndIsNoted) {
  a_.port.refuse_connect = absl::UnimplementedError("none there");
  a_.port.absence = Absence::kUnreachable;
  const SocketId client = CreateProbing(a_);
  EXPECT_EQ(a_.layer->Connect(net_.now, client, net_.server_endpoint()), EPROTONOSUPPORT);
  EXPECT_EQ(a_.port.probes, 1);
  const auto noted = a_.layer->PollFallback();
  ASSERT_TRUE(noted);
  EXPECT_EQ(noted->owner, 7u);
  EXPECT_EQ(noted->peer, net_.server_endpoint());
  EXPECT_EQ(noted->why, Absence::kUnreachable);
  EXPECT_FALSE(a_.layer->PollFallback());
}

TEST_F(OpeningTest, APatientConnectIsNotNotedAsAFallback) {
  a_.port.refuse_connect = absl::UnimplementedError("none there");
  a_.Connect(net_.now, net_.server_endpoint(), EPROTONOSUPPORT);
  EXPECT_EQ(a_.port.probes, 0);
  EXPECT_FALSE(a_.layer->PollFallback());
}

TEST_F(OpeningTest, ASilentPeerEndsProbingConnectsOnly) {
  net_.hold_handshake = true;
  b_.Listen(80);
  const SocketId probing = CreateProbing(a_);
  ASSERT_EQ(a_.layer->Connect(net_.now, probing, net_.server_endpoint()), EINPROGRESS);
  const SocketId patient = a_.Connect(net_.now, net_.server_endpoint());
  a_.layer->OnDriverEvent(net_.now, {DriverEvent::Kind::kPeerAbsent, a_.port.handle, Segment{}, 0});
  EXPECT_EQ(a_.View(probing).state, SocketState::kClosed);
  EXPECT_EQ(a_.View(probing).error, EPROTONOSUPPORT);
  EXPECT_EQ(a_.View(patient).state, SocketState::kConnecting);
  EXPECT_TRUE(a_.layer->PollFallback());
  net_.hold_handshake = false;
  net_.Run();
  EXPECT_EQ(a_.View(patient).state, SocketState::kConnected);
}

TEST_F(OpeningTest, AHandshakeThatFindsNoNetChannelNotesTheProbingSockets) {
  net_.hold_handshake = true;
  a_.port.absence = Absence::kRejected;
  const SocketId probing = CreateProbing(a_);
  ASSERT_EQ(a_.layer->Connect(net_.now, probing, net_.server_endpoint()), EINPROGRESS);
  a_.Connect(net_.now, net_.server_endpoint());
  net_.BreakSession(EPROTONOSUPPORT);
  EXPECT_EQ(a_.View(probing).error, EPROTONOSUPPORT);
  const auto noted = a_.layer->PollFallback();
  ASSERT_TRUE(noted);
  EXPECT_EQ(noted->why, Absence::kRejected);
  EXPECT_FALSE(a_.layer->PollFallback());
}

// The program that falls back closes the socket, or uses it again.
TEST_F(OpeningTest, AfterAFailedProbeTheSocketMayConnectElsewhere) {
  a_.port.refuse_connect = absl::UnimplementedError("none there");
  const SocketId client = CreateProbing(a_);
  ASSERT_EQ(a_.layer->Connect(net_.now, client, net_.server_endpoint()), EPROTONOSUPPORT);
  a_.port.refuse_connect.reset();
  b_.Listen(80);
  EXPECT_EQ(a_.layer->Connect(net_.now, client, net_.server_endpoint()), EINPROGRESS);
  net_.Run();
  EXPECT_EQ(a_.View(client).state, SocketState::kConnected);
}

TEST_F(OpeningTest, FallbacksThatNobodyAsksForAreBounded) {
  a_.port.refuse_connect = absl::UnimplementedError("none there");
  const SocketId client = CreateProbing(a_);
  for (uint16_t port = 1; port <= 1000; ++port) {
    ASSERT_EQ(a_.layer->Connect(net_.now, client, {b_.address, port}), EPROTONOSUPPORT);
  }
  size_t count = 0;
  uint16_t last = 0;
  while (const auto noted = a_.layer->PollFallback()) {
    ++count;
    last = noted->peer.port;
  }
  EXPECT_LE(count, 256u);
  EXPECT_EQ(last, 1000);
}

TEST_F(OpeningTest, AnIpv6ConnectionHasTheIpv6Address) {
  FakeNetwork net({.ipv6 = true});
  const auto pair = net.Connected();
  EXPECT_FALSE(net.a.address.is_v4());
  EXPECT_EQ(net.a.View(pair.client).local.address, net.a.address);
  EXPECT_EQ(net.b.View(pair.server).peer, net.a.View(pair.client).local);
  EXPECT_EQ(net.a.layer->ListSockets()[0].local, net.a.View(pair.client).local);
}

TEST_F(OpeningTest, ABoundWildcardBecomesTheConnectionsAddress) {
  b_.Listen(80);
  const SocketId client = a_.Create();
  ASSERT_EQ(a_.layer->Bind(client, {wire::IpAddress{}, 90}), 0);
  EXPECT_EQ(a_.View(client).local, (wire::IpEndpoint{wire::IpAddress{}, 90}));
  ASSERT_EQ(a_.layer->Connect(net_.now, client, net_.server_endpoint()), EINPROGRESS);
  EXPECT_EQ(a_.View(client).local, (wire::IpEndpoint{a_.address, 90}));
}

TEST_F(OpeningTest, ASocketBoundInOneFamilyDoesNotConnectInTheOther) {
  FakeNetwork net({.ipv6 = true});
  const SocketId client = net.a.Create();
  ASSERT_EQ(net.a.layer->Bind(client, {wire::IpAddress::V4(0), 90}), 0);
  EXPECT_EQ(net.a.layer->Connect(net.now, client, net.server_endpoint()), EAFNOSUPPORT);
}

TEST_F(OpeningTest, AfterAFailedConnectTheNextMayBeOfTheOtherFamily) {
  a_.port.refuse_connect = absl::UnavailableError("no route");
  const SocketId client = a_.Create();
  const wire::IpAddress peer_v6 = *wire::IpAddress::Parse("fd00::2");
  ASSERT_EQ(a_.layer->Connect(net_.now, client, {peer_v6, 80}), EHOSTUNREACH);
  a_.port.refuse_connect.reset();
  b_.Listen(80);
  EXPECT_EQ(a_.layer->Connect(net_.now, client, net_.server_endpoint()), EINPROGRESS);
  net_.Run();
  EXPECT_EQ(a_.View(client).state, SocketState::kConnected);
}

TEST_F(OpeningTest, AHandshakeThatFailsReportsItsError) {
  net_.hold_handshake = true;
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.BreakSession(EHOSTUNREACH);
  EXPECT_EQ(a_.View(client).state, SocketState::kClosed);
  EXPECT_EQ(a_.View(client).error, EHOSTUNREACH);
}

TEST_F(OpeningTest, AStreamThatNobodyAcceptedIsOpenedAgainWhenThePeerIsAnother) {
  const SocketId listener = b_.Listen(80);
  net_.Run();
  net_.hold_packets = true;
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  ASSERT_EQ(a_.Write(net_.now, client, "early"), 5u);
  net_.Run();
  net_.BreakSession(ECONNRESET);
  EXPECT_EQ(a_.View(client).state, SocketState::kConnecting);
  net_.hold_packets = false;
  net_.Run();
  EXPECT_EQ(a_.View(client).state, SocketState::kConnected);
  const auto server = b_.Accept(listener);
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(b_.Read(net_.now, *server), "early");
}

TEST_F(OpeningTest, AStreamWhoseBytesThePeerHadIsNotOpenedAgain) {
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  b_.Listen(80);
  ASSERT_EQ(a_.Write(net_.now, client, "early"), 5u);
  net_.hold_packets = true;
  net_.Run();
  ASSERT_EQ(a_.port.enqueued_log.size(), 1u);
  a_.layer->OnDriverEvent(net_.now, {.kind = DriverEvent::Kind::kAcknowledged,
                                     .session = a_.port.handle,
                                     .segment = a_.port.enqueued_log[0]});
  ASSERT_EQ(a_.View(client).state, SocketState::kConnecting);
  net_.BreakSession(ECONNRESET);
  EXPECT_EQ(a_.View(client).state, SocketState::kClosed);
  EXPECT_EQ(a_.View(client).error, ECONNRESET);
}

TEST_F(OpeningTest, ConnectTimesOutWhenTheSessionDoesNotComeUp) {
  net_.hold_handshake = true;
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.Advance(Duration::Millis(19900));
  EXPECT_EQ(a_.View(client).state, SocketState::kConnecting);
  net_.Advance(Duration::Millis(200));
  EXPECT_EQ(a_.View(client).error, ETIMEDOUT);
}

TEST_F(OpeningTest, ConnectTimesOutWhenNobodyAnswers) {
  b_.Listen(80);
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.hold_packets = true;
  net_.Advance(Duration::Seconds(21));
  EXPECT_EQ(a_.View(client).error, ETIMEDOUT);
  net_.hold_packets = false;
  net_.Run();
  EXPECT_EQ(b_.layer->Stats().streams, 0u);  // the peer was told
}

TEST_F(OpeningTest, ALateSecondOpenMakesNoGhost) {
  const SocketId listener = b_.Listen(80);
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  a_.Write(net_.now, client, "x");
  net_.hold_packets = true;
  net_.Run();
  const auto late = net_.wires[0].packets;
  ASSERT_TRUE(late.front().segment.with_open);
  net_.hold_packets = false;
  net_.Run();
  const auto server = b_.Accept(listener);
  b_.Read(net_.now, *server);
  b_.Close(net_.now, *server);
  a_.Close(net_.now, client);
  net_.Run();
  ASSERT_EQ(b_.layer->Stats().streams, 0u);
  net_.wires[0].packets = late;
  net_.Run();
  EXPECT_EQ(b_.View(listener).accept_ready, 0u);
  EXPECT_EQ(b_.layer->Stats().streams, 0u);
}

TEST_F(OpeningTest, AResetThatOvertakesItsOpenForbidsTheConnection) {
  const SocketId listener = b_.Listen(80);
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.hold_packets = true;
  net_.Run();
  auto open = net_.wires[0].packets.front();
  net_.wires[0].packets.clear();
  a_.Close(net_.now, client);  // RESET, the OPEN is still on its way
  net_.hold_packets = false;
  net_.Run();
  net_.wires[0].packets.push_back(open);
  net_.Run();
  EXPECT_EQ(b_.View(listener).accept_ready, 0u);
  EXPECT_EQ(b_.layer->Stats().streams, 0u);
}

TEST_F(OpeningTest, BothHostsOpenStreamsInOneSession) {
  const SocketId la = a_.Listen(80);
  const auto pair = net_.Connected();
  const SocketId back = b_.Connect(net_.now, {a_.address, 80});
  net_.Run();
  EXPECT_EQ(b_.View(back).state, SocketState::kConnected);
  const auto served = a_.Accept(la);
  ASSERT_TRUE(served.has_value());
  a_.Write(net_.now, pair.client, "to b");
  a_.Write(net_.now, *served, "to b's client");
  net_.Run();
  EXPECT_EQ(b_.Read(net_.now, pair.server), "to b");
  EXPECT_EQ(b_.Read(net_.now, back), "to b's client");
}

TEST_F(OpeningTest, EachChangeIsReportedOnce) {
  b_.Listen(80);
  const SocketId client = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  EXPECT_EQ(a_.Changed(), std::vector<SocketId>{client});
  EXPECT_TRUE(a_.Changed().empty());
}

TEST_F(OpeningTest, AFullStreamTableFailsTheConnect) {
  FakeNetwork net({.max_streams = 1});
  net.b.Listen(80);
  const SocketId first = net.a.Connect(net.now, net.server_endpoint());
  const SocketId second = net.a.Connect(net.now, net.server_endpoint());
  net.Run();
  EXPECT_EQ(net.a.View(first).state, SocketState::kConnected);
  EXPECT_EQ(net.a.View(second).error, ENOBUFS);
}

TEST_F(OpeningTest, CreateFailsWhenTheTableOrThePoolIsFull) {
  FakeNetwork net({.max_sockets = 2});
  net.a.Create();
  net.a.pool.capacity = 1;
  EXPECT_EQ(net.a.layer->Create(1).error, EMFILE);
  net.a.pool.capacity = 10;
  net.a.Create();
  EXPECT_EQ(net.a.layer->Create(1).error, EMFILE);
  EXPECT_EQ(net.a.pool.in_use(), 2u);
}

}  // namespace
}  // namespace netchannel
