// SPDX-License-Identifier: Apache-2.0
#include "transport/connection.h"

#include "connection_fixture.h"

namespace netchannel::transport {
namespace {

class ConnectionTest : public ConnectionFixture {};

class ConnectionReceiveTest : public ConnectionFixture {
 protected:
  void Get(PacketNumber low, PacketNumber high) {
    for (PacketNumber n = low; n <= high; ++n) {
      EXPECT_EQ(connection_.OnPacket(now_, n, {.ack_eliciting = true}), Receipt::kNew);
    }
  }
};

TEST_F(ConnectionTest, IdleItAsksForNoTimer) {
  EXPECT_EQ(connection_.NextTimeout(), Time::Infinite());
  EXPECT_FALSE(SendOne().has_value());
}

TEST_F(ConnectionTest, PacketsAreNumberedFromOneWithoutGaps) {
  Enqueue(5000);
  PacketNumber expected = 1;
  for (const Sent& sent : SendAll()) EXPECT_EQ(sent.plan.number, expected++);
}

TEST_F(ConnectionTest, PacketsAreFilledToThePathsSize) {
  Enqueue(10'000);
  EXPECT_EQ(SendOne()->bytes, 1200u);
  EXPECT_EQ(SendOne(500)->bytes, 500u);
}

TEST_F(ConnectionTest, TheFirstWindowIsThirtyTwoPackets) {
  Enqueue(1'000'000);
  EXPECT_EQ(SendAll().size(), 32u);
  EXPECT_FALSE(connection_.CanSendData(now_));
}

// A receiver may wait for more packets than a small window holds.
TEST_F(ConnectionTest, ASmallWindowAsksForAnAckEachQuarter) {
  Enqueue(1'000'000);
  std::vector<PacketNumber> asking;
  for (const Sent& sent : SendAll()) {
    if (sent.plan.ack_now) asking.push_back(sent.plan.number);
  }
  EXPECT_EQ(asking, (std::vector<PacketNumber>{9, 18, 27}));
}

TEST_F(ConnectionTest, ALargeWindowLeavesItToTheReceiver) {
  Enqueue(10'000'000);
  PacketNumber acknowledged = 0;
  while (connection_.congestion_window() <= 4 * 32 * 1200) {
    for (const Sent& sent : SendAll()) acknowledged = sent.plan.number;
    Pass(Duration::Millis(1));
    ASSERT_TRUE(Ack({{1, acknowledged}}));
  }
  for (const Sent& sent : SendAll()) EXPECT_FALSE(sent.plan.ack_now);
}

TEST_F(ConnectionTest, LoneMessagesDoNotAskForAnAck) {
  for (PacketNumber n = 1; n <= 300; ++n) {
    Enqueue(64);
    const auto sent = SendOne();
    ASSERT_TRUE(sent.has_value());
    EXPECT_FALSE(sent->plan.ack_now);
    Pass(Duration::Micros(10));
    ASSERT_TRUE(Ack({{1, n}}));
  }
}

TEST_F(ConnectionTest, AnAckOpensTheWindow) {
  Enqueue(1'000'000);
  SendAll();
  Pass(Duration::Millis(1));
  ASSERT_TRUE(Ack({{1, 32}}));
  EXPECT_EQ(SendAll().size(), 64u);
}

TEST_F(ConnectionTest, NoMorePacketsAreInFlightThanThePeersQueueHolds) {
  ConnectionConfig config = Config();
  config.max_packets_in_flight = 10;
  connection_ = Connection(config, now_);
  Enqueue(1'000'000);
  EXPECT_EQ(SendAll().size(), 10u);
}

TEST_F(ConnectionTest, AcknowledgedDataIsReportedOnce) {
  Enqueue(3000, true);
  SendAll();
  Ack({{1, 3}});
  Ack({{1, 3}});
  const auto segment = connection_.PollAcked();
  ASSERT_TRUE(segment.has_value());
  EXPECT_EQ(segment->offset, 0u);
  EXPECT_EQ(segment->length, 3000u);
  EXPECT_TRUE(segment->fin);
  EXPECT_FALSE(connection_.PollAcked().has_value());
}

TEST_F(ConnectionTest, NothingIsAcknowledgedBeforeItsAck) {
  Enqueue(3000);
  SendAll();
  Ack({{2, 2}});
  EXPECT_EQ(AckedBytes(), 1160u);
}

TEST_F(ConnectionTest, AnAckOfWhatWasNotSentIsRefused) {
  Enqueue(3000);
  SendAll();
  EXPECT_FALSE(Ack({{1, 4}}));
  EXPECT_EQ(AckedBytes(), 0u);
}

TEST_F(ConnectionTest, APlannedPacketCannotBeAcknowledged) {
  Enqueue(3000);
  connection_.PollTransmit(now_, 65000);
  EXPECT_FALSE(Ack({{1, 1}}));
}

TEST_F(ConnectionTest, AnUnsentPacketsContentsAreSentNext) {
  Enqueue(3000);
  const auto plan = connection_.PollTransmit(now_, 65000);
  connection_.OnNotSent(plan->number);
  EXPECT_EQ(connection_.queued_bytes(), 3000u);
  EXPECT_EQ(connection_.bytes_in_flight(), 0u);
  const auto sent = SendOne();
  EXPECT_EQ(sent->plan.number, 1u);
  EXPECT_EQ(sent->segments[0].offset, 0u);
}

TEST_F(ConnectionTest, APlanThatWasNeverSentIsPlannedAgain) {
  Enqueue(100);
  connection_.PollTransmit(now_, 65000);
  EXPECT_EQ(SendOne()->data_bytes(), 100u);
}

TEST_F(ConnectionTest, ManySmallStreamsShareAPacket) {
  for (uint32_t i = 0; i < 20; ++i) connection_.Enqueue(Data(i, 0, 10));
  EXPECT_EQ(SendOne()->segments.size(), 20u);
  EXPECT_FALSE(SendOne().has_value());
}

TEST_F(ConnectionTest, AFullQueueRefuses) {
  ConnectionConfig config = Config();
  config.max_queued_segments = 2;
  connection_ = Connection(config, now_);
  EXPECT_TRUE(connection_.Enqueue(Data(1, 0, 10)));
  EXPECT_TRUE(connection_.Enqueue(Data(2, 0, 10)));
  EXPECT_FALSE(connection_.Enqueue(Data(3, 0, 10)));
}

TEST_F(ConnectionTest, OnlyDctcpPacketsAskForMarks) {
  Enqueue(100);
  EXPECT_FALSE(SendOne()->plan.ecn_capable);
  ConnectionConfig config = Config();
  config.congestion = CongestionAlgorithm::kDctcp;
  connection_ = Connection(config, now_);
  Enqueue(100);
  EXPECT_TRUE(SendOne()->plan.ecn_capable);
}

TEST_F(ConnectionTest, MarksShrinkADctcpWindow) {
  ConnectionConfig config = Config();
  config.congestion = CongestionAlgorithm::kDctcp;
  connection_ = Connection(config, now_);
  Enqueue(1'000'000);
  uint64_t marks = 0;
  PacketNumber next = 1;
  for (int round = 0; round < 4; ++round) {
    const size_t count = SendAll().size();
    wire::Ack ack = AckOf({{next, next + count - 1}});
    next += count;
    marks += count;
    ack.ce_count = marks;
    Pass(Duration::Millis(1));
    ASSERT_TRUE(connection_.OnAck(now_, ack));
  }
  EXPECT_LT(connection_.congestion_window(), 32 * 1200u);
}

TEST_F(ConnectionTest, PacingSpreadsAWindowOverItsRoundTrip) {
  ConnectionConfig config = Config();
  config.pacing = true;
  connection_ = Connection(config, now_);
  Enqueue(10'000'000);
  PacketNumber next = 1;
  for (int round = 0; round < 3; ++round) {
    const size_t count = SendAll().size();
    Pass(Duration::Millis(100));
    ASSERT_TRUE(Ack({{next, next + count - 1}}));
    next += count;
  }
  EXPECT_LT(SendAll().size() * 1200, connection_.congestion_window() / 2);
  EXPECT_GE(connection_.NextTimeout() - now_, Duration::Micros(100));
  EXPECT_LE(connection_.NextTimeout() - now_, Duration::Millis(1));
}

TEST_F(ConnectionTest, AnMtuProbeRaisesThePacketSize) {
  ConnectionConfig config = Config();
  config.max_packet_size = 9000;
  connection_ = Connection(config, now_);
  Enqueue(100'000);
  const auto probe = SendOne();
  EXPECT_TRUE(probe->plan.ping);
  EXPECT_EQ(probe->plan.pad_to, 9000u);
  EXPECT_EQ(SendOne()->bytes, 1200u);
  Ack({{1, 1}});
  EXPECT_EQ(connection_.packet_size(), 9000u);
  EXPECT_EQ(SendOne()->bytes, 9000u);
}

TEST_F(ConnectionTest, AnIdlePathIsNotProbed) {
  ConnectionConfig config = Config();
  config.max_packet_size = 9000;
  connection_ = Connection(config, now_);
  EXPECT_FALSE(SendOne().has_value());
}

TEST_F(ConnectionReceiveTest, AnAckIsSentWhenDueAndThenNoMore) {
  Get(1, 1);
  EXPECT_FALSE(SendOne().has_value());
  EXPECT_EQ(RunTimer(), Duration::Micros(250));
  const auto sent = SendOne();
  ASSERT_TRUE(sent.has_value());
  EXPECT_TRUE(sent->plan.ack);
  EXPECT_FALSE(sent->plan.ping);
  EXPECT_FALSE(SendOne().has_value());
  EXPECT_EQ(connection_.NextTimeout(), Time::Infinite());
}

TEST_F(ConnectionReceiveTest, AcksAreNotCongestionControlled) {
  Enqueue(1'000'000);
  SendAll();
  Get(1, Config().ack_threshold);
  const auto sent = SendOne();
  ASSERT_TRUE(sent.has_value());
  EXPECT_TRUE(sent->plan.ack);
  EXPECT_TRUE(sent->segments.empty());
}

TEST_F(ConnectionReceiveTest, AnAckRidesOnDataThatLeavesRoom) {
  Get(1, 1);
  Enqueue(100);
  EXPECT_TRUE(SendOne()->plan.ack);
  EXPECT_EQ(connection_.stats().acks_sent, 1u);
}

TEST_F(ConnectionReceiveTest, AnAckThatIsNotDueDisplacesNoData) {
  Get(1, 1);
  Enqueue(100'000);
  EXPECT_FALSE(SendOne()->plan.ack);
}

TEST_F(ConnectionReceiveTest, AnAckThatIsDueRidesOnFullPackets) {
  Get(1, Config().ack_threshold);
  Enqueue(100'000);
  const auto sent = SendOne();
  EXPECT_TRUE(sent->plan.ack);
  EXPECT_EQ(sent->bytes, 1200u);
}

TEST_F(ConnectionReceiveTest, AnUnsentAckStaysDue) {
  Get(1, Config().ack_threshold);
  const auto plan = connection_.PollTransmit(now_, 65000);
  connection_.OnNotSent(plan->number);
  EXPECT_TRUE(SendOne()->plan.ack);
}

TEST_F(ConnectionReceiveTest, AReceiverOfGapsAsksForAnAnswerNowAndThen) {
  int pings = 0;
  PacketNumber number = 2;
  for (int i = 0; i < 200; ++i, number += 2) {
    Get(number, number);
    const auto sent = SendOne();
    ASSERT_TRUE(sent.has_value());
    pings += sent->plan.ping ? 1 : 0;
    if (sent->plan.ping) Ack({{1, sent->plan.number}});
  }
  EXPECT_NEAR(pings, 200 / 33, 2);
}

TEST_F(ConnectionReceiveTest, TheAnswerMakesItsAcksShortAgain) {
  for (PacketNumber number = 2; number <= 400; number += 2) {
    Get(number, number);
    const auto sent = SendOne();
    if (sent->plan.ping) Ack({{1, sent->plan.number}});
  }
  EXPECT_LT(connection_.BuildAck(now_).range_count, wire::kMaxAckRanges);
}

TEST_F(ConnectionReceiveTest, AReceiverInOrderNeverAsks) {
  for (PacketNumber n = 1; n <= 1600; n += 16) {
    Get(n, n + 15);
    EXPECT_FALSE(SendOne()->plan.ping);
  }
}

TEST_F(ConnectionReceiveTest, DuplicatesAreCounted) {
  Get(1, 1);
  EXPECT_EQ(connection_.OnPacket(now_, 1, {.ack_eliciting = true}), Receipt::kDuplicate);
  EXPECT_EQ(connection_.stats().duplicates, 1u);
  EXPECT_EQ(connection_.stats().packets_received, 1u);
}

}  // namespace
}  // namespace netchannel::transport
