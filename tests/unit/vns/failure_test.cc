// SPDX-License-Identifier: Apache-2.0
//
// Peers that vanish, sessions that break, peers that break the protocol.
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "fake_network.h"

namespace netchannel {
namespace {

class FailureTest : public testing::Test {
 protected:
  void SetUp() override { pair_ = net_.Connected(); }
  // A record for b from its peer, on the stream of the pair unless it is changed.
  Delivery Record(wire::RecordType type) {
    Delivery d;
    d.session = b_.port.handle;
    d.type = type;
    d.stream = 2;  // number 1, opened by the client
    return d;
  }
  void Data(StreamOffset offset, uint32_t length, bool fin = false) {
    Delivery d = Record(wire::RecordType::kData);
    const std::vector<std::byte> bytes(length);
    d.offset = offset;
    d.length = length;
    d.fin = fin;
    d.payload[0] = bytes;
    d.payload_count = 1;
    b_.layer->OnDelivery(net_.now, d);
  }
  uint64_t violations() { return b_.layer->Stats().violations; }

  FakeNetwork net_;
  FakeHost& a_ = net_.a;
  FakeHost& b_ = net_.b;
  FakeNetwork::Pair pair_;
};

TEST_F(FailureTest, UnacknowledgedBytesTimeOut) {
  net_.hold_packets = true;
  a_.Write(net_.now, pair_.client, "lost");
  net_.Run();
  net_.Advance(Duration::Millis(19900));
  EXPECT_EQ(a_.View(pair_.client).error, 0);
  net_.Advance(Duration::Millis(200));
  EXPECT_EQ(a_.View(pair_.client).state, SocketState::kClosed);
  EXPECT_EQ(a_.View(pair_.client).error, ETIMEDOUT);
  net_.hold_packets = false;
  net_.Run();
  EXPECT_EQ(b_.View(pair_.server).error, ETIMEDOUT);
}

TEST_F(FailureTest, ASocketsOwnUserTimeoutHolds) {
  SocketOptions options;
  options.user_timeout = Duration::Seconds(3);
  ASSERT_EQ(a_.layer->SetOptions(pair_.client, options), 0);
  net_.hold_packets = true;
  a_.Write(net_.now, pair_.client, "lost");
  net_.Run();
  net_.Advance(Duration::Millis(3100));
  EXPECT_EQ(a_.View(pair_.client).error, ETIMEDOUT);
}

TEST_F(FailureTest, AUserTimeoutCanBeShortenedWhileBytesAreOut) {
  net_.hold_packets = true;
  a_.Write(net_.now, pair_.client, "lost");
  net_.Run();
  SocketOptions options;
  options.user_timeout = Duration::Seconds(1);
  ASSERT_EQ(a_.layer->SetOptions(pair_.client, options), 0);
  net_.Advance(Duration::Millis(1100));
  EXPECT_EQ(a_.View(pair_.client).error, ETIMEDOUT);
}

TEST_F(FailureTest, ProgressStartsTheUserTimeoutAnew) {
  for (int i = 0; i < 10; ++i) {
    a_.Write(net_.now, pair_.client, "x");
    net_.hold_packets = true;
    net_.Run();
    net_.Advance(Duration::Seconds(15));
    net_.hold_packets = false;
    net_.Run();
  }
  EXPECT_EQ(a_.View(pair_.client).error, 0);
}

TEST_F(FailureTest, APeerThatDoesNotReadIsNoReasonToTimeOut) {
  a_.Write(net_.now, pair_.client, Pattern(60000));
  net_.Run();
  net_.Advance(Duration::Seconds(3600));
  EXPECT_EQ(a_.View(pair_.client).error, 0);
}

TEST_F(FailureTest, AnIdleConnectionLastsAndHasNoTimer) {
  a_.Write(net_.now, pair_.client, "x");
  net_.Run();
  net_.Advance(Duration::Seconds(7200));
  EXPECT_EQ(a_.View(pair_.client).state, SocketState::kConnected);
  EXPECT_TRUE(a_.layer->NextTimeout().is_infinite());
}

TEST_F(FailureTest, ALostSessionIsReportedToEachSocket) {
  const SocketId second = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  a_.Changed();
  net_.BreakSession(ETIMEDOUT);
  EXPECT_EQ(a_.View(pair_.client).error, ETIMEDOUT);
  EXPECT_EQ(a_.View(second).error, ETIMEDOUT);
  EXPECT_EQ(b_.View(pair_.server).error, ETIMEDOUT);
  EXPECT_EQ(a_.Changed().size(), 2u);
  EXPECT_EQ(a_.streams.in_use(), 0u);
  EXPECT_EQ(a_.port.references, 0);
}

TEST_F(FailureTest, ASessionThatThePeerClosedIsAReset) {
  net_.BreakSession(0);
  EXPECT_EQ(a_.View(pair_.client).error, ECONNRESET);
}

TEST_F(FailureTest, ReceivedBytesSurviveTheSession) {
  a_.Write(net_.now, pair_.client, "kept");
  net_.Run();
  net_.BreakSession(ETIMEDOUT);
  EXPECT_EQ(b_.Read(net_.now, pair_.server), "kept");
}

TEST_F(FailureTest, OrphansGoWithTheirSession) {
  a_.Write(net_.now, pair_.client, Pattern(60000));
  a_.Close(net_.now, pair_.client);
  net_.Run();
  net_.BreakSession(ETIMEDOUT);
  EXPECT_EQ(a_.layer->Stats().sockets, 0u);
  EXPECT_EQ(a_.pool.in_use(), 0u);
}

TEST_F(FailureTest, ANewSessionServesNewConnections) {
  net_.BreakSession(ETIMEDOUT);
  const SocketId again = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  EXPECT_EQ(a_.View(again).state, SocketState::kConnected);
}

TEST_F(FailureTest, DataBeyondTheWindowResetsTheStream) {
  Data(32 * 1024, 1);
  EXPECT_EQ(violations(), 1u);
  EXPECT_EQ(b_.View(pair_.server).error, ECONNRESET);
  net_.Run();
  EXPECT_EQ(a_.View(pair_.client).error, ECONNRESET);
}

TEST_F(FailureTest, DataBeyondFinResetsTheStream) {
  Data(0, 10, true);
  Data(10, 1);
  EXPECT_EQ(violations(), 1u);
  EXPECT_EQ(b_.View(pair_.server).state, SocketState::kClosed);
}

TEST_F(FailureTest, OffsetsThatOverflowResetTheStream) {
  Data(~uint64_t{0} - 5, 100);
  EXPECT_EQ(violations(), 1u);
}

TEST_F(FailureTest, EmptyDataIsIgnored) {
  Data(5, 0);
  EXPECT_EQ(violations(), 0u);
  EXPECT_EQ(b_.View(pair_.server).received, 0u);
}

TEST_F(FailureTest, DataForAnUnknownStreamIsAnsweredOnceWithReset) {
  const size_t before = b_.port.enqueued_log.size();
  for (int i = 0; i < 10; ++i) {
    Delivery d = Record(wire::RecordType::kData);
    d.stream = 400;
    d.fin = true;
    b_.layer->OnDelivery(net_.now, d);
  }
  b_.layer->Pump(net_.now, 64);
  ASSERT_EQ(b_.port.enqueued_log.size(), before + 1);
  EXPECT_EQ(b_.port.enqueued_log.back().kind, SegmentKind::kReset);
  net_.Run();
  EXPECT_EQ(b_.streams.in_use(), 1u);
}

TEST_F(FailureTest, ResetsAndWindowsOfUnknownStreamsAreNotAnswered) {
  const size_t before = b_.port.enqueued_log.size();
  for (const auto type : {wire::RecordType::kReset, wire::RecordType::kWindow}) {
    Delivery d = Record(type);
    d.stream = 400;
    b_.layer->OnDelivery(net_.now, d);
  }
  net_.Run();
  EXPECT_EQ(b_.port.enqueued_log.size(), before);
}

TEST_F(FailureTest, AnOpenWithOurOwnRoleIsCountedAndIgnored) {
  Delivery d = Record(wire::RecordType::kOpen);
  d.stream = 7;  // bit 0 is b's
  d.source_port = 5;
  d.destination_port = 80;
  b_.layer->OnDelivery(net_.now, d);
  EXPECT_EQ(violations(), 1u);
  EXPECT_EQ(b_.View(pair_.listener).accept_ready, 0u);
}

TEST_F(FailureTest, AnAcceptFromTheOpenerIsCountedAndIgnored) {
  b_.layer->OnDelivery(net_.now, Record(wire::RecordType::kAccept));
  EXPECT_EQ(violations(), 1u);
  EXPECT_EQ(b_.View(pair_.server).state, SocketState::kConnected);
}

TEST_F(FailureTest, RefusalsAreBoundedAndCounted) {
  net_.hold_packets = true;
  for (uint64_t i = 0; i < 5000; ++i) {
    Delivery d = Record(wire::RecordType::kOpen);
    d.stream = (i + 10) << 1;
    d.source_port = 5;
    d.destination_port = 81;
    b_.layer->OnDelivery(net_.now, d);
  }
  EXPECT_GT(b_.layer->Stats().resets_dropped, 0u);
  EXPECT_LE(b_.layer->Stats().sockets, 1024u + 1024u);
  net_.hold_packets = false;
  net_.Run();
  EXPECT_EQ(b_.layer->Stats().sockets, 2u);
}

TEST_F(FailureTest, TheSessionOfAnOlderGenerationTakesItsSocketsAlong) {
  Delivery d = Record(wire::RecordType::kOpen);
  d.session.generation += 5;
  b_.port.handle = d.session;
  d.source_port = 5;
  d.destination_port = 80;
  d.receive_limit = 1000;
  b_.layer->OnDelivery(net_.now, d);
  EXPECT_EQ(b_.View(pair_.server).error, ECONNRESET);
  EXPECT_EQ(b_.View(pair_.listener).accept_ready, 1u);
}

TEST_F(FailureTest, OptionsOutOfRangeAreRefused) {
  SocketOptions options;
  options.user_timeout = Duration::Seconds(-1);
  EXPECT_EQ(a_.layer->SetOptions(pair_.client, options), EINVAL);
  EXPECT_EQ(a_.layer->SetOptions(9999, SocketOptions()), EBADF);
}

}  // namespace
}  // namespace netchannel
