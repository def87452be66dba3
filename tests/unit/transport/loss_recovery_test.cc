// SPDX-License-Identifier: Apache-2.0
//
// What a connection does about loss and silence.
#include <algorithm>

#include "connection_fixture.h"

namespace netchannel::transport {
namespace {

class LossRecoveryTest : public ConnectionFixture {
 protected:
  // A round trip of 1 ms is known, nothing is in flight; returns the next packet number.
  PacketNumber WarmUp() {
    Enqueue(1160 * 10);
    SendAll();
    Pass(Duration::Millis(1));
    EXPECT_TRUE(Ack({{1, 10}}));
    AckedBytes();
    return 11;
  }
};

TEST_F(LossRecoveryTest, LostDataIsSentAgainInAPacketOfItsOwn) {
  const PacketNumber first = WarmUp();
  Enqueue(1160 * 5);
  SendAll();
  Pass(Duration::Millis(1));
  Ack({{first + 1, first + 4}});
  const auto again = SendOne();
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->plan.number, first + 5);
  EXPECT_EQ(again->segments[0].offset, 11600u);
  EXPECT_EQ(again->segments[0].length, 1160u);
  EXPECT_EQ(connection_.stats().packets_lost, 1u);
}

TEST_F(LossRecoveryTest, LostControlSegmentsAreSentAgain) {
  const PacketNumber first = WarmUp();
  for (SegmentKind kind :
       {SegmentKind::kOpen, SegmentKind::kAccept, SegmentKind::kWindow, SegmentKind::kReset}) {
    connection_.Enqueue(Control(kind, 7));
  }
  SendAll();
  Enqueue(1160 * 3);
  SendAll();
  Pass(Duration::Millis(1));
  Ack({{first + 1, first + 3}});
  EXPECT_EQ(SendOne()->segments.size(), 4u);
}

TEST_F(LossRecoveryTest, ALossFoundByTimeIsSentAgainWhenTheTimerRuns) {
  const PacketNumber first = WarmUp();
  Enqueue(1160 * 2);
  SendAll();
  Pass(Duration::Millis(1));
  Ack({{first + 1, first + 1}});
  EXPECT_FALSE(SendOne().has_value());
  EXPECT_LE(RunTimer(), Duration::Micros(250));
  EXPECT_EQ(SendOne()->segments[0].offset, 11600u);
}

TEST_F(LossRecoveryTest, ABurstOfLossReducesTheWindowOnce) {
  const PacketNumber first = WarmUp();
  Enqueue(1160 * 30);
  SendAll();
  Pass(Duration::Millis(1));
  const ByteCount before = connection_.congestion_window();
  Ack({{first + 10, first + 20}});
  EXPECT_NEAR(static_cast<double>(connection_.congestion_window()), 0.7 * before, 1);
  Ack({{first + 24, first + 29}, {first + 10, first + 20}});
  EXPECT_NEAR(static_cast<double>(connection_.congestion_window()), 0.7 * before, 1);
}

TEST_F(LossRecoveryTest, ARareLossDoesNotReduceTheWindow) {
  const PacketNumber first = WarmUp();
  Enqueue(1160 * 20);
  SendAll();
  Pass(Duration::Millis(1));
  const ByteCount before = connection_.congestion_window();
  Ack({{first + 1, first + 19}});
  EXPECT_EQ(connection_.stats().packets_lost, 1u);
  EXPECT_GE(connection_.congestion_window(), before);
}

TEST_F(LossRecoveryTest, AReductionIsTakenBackWhenAllItsPacketsWereOnlyLate) {
  const PacketNumber first = WarmUp();
  Enqueue(1160 * 30);
  SendAll();
  Pass(Duration::Millis(1));
  const ByteCount before = connection_.congestion_window();
  Ack({{first + 10, first + 29}});
  ASSERT_LT(connection_.congestion_window(), before);
  Pass(Duration::Micros(100));
  Ack({{first, first + 8}, {first + 10, first + 29}});  // malformed order is refused
  Ack({{first + 1, first + 29}});
  EXPECT_LT(connection_.congestion_window(), before);
  Ack({{first, first + 29}});
  EXPECT_GE(connection_.congestion_window(), before);
  EXPECT_EQ(connection_.stats().packets_spuriously_lost, 10u);
}

TEST_F(LossRecoveryTest, ALateAcknowledgementStopsARetransmissionThatStillWaits) {
  const PacketNumber first = WarmUp();
  Enqueue(1160 * 10);
  SendAll();
  Pass(Duration::Millis(1));
  Ack({{first + 3, first + 9}});
  EXPECT_GT(connection_.queued_bytes(), 0u);
  Ack({{first, first + 9}});
  EXPECT_EQ(connection_.queued_bytes(), 0u);
  EXPECT_EQ(AckedBytes(), 11600u);
}

TEST_F(LossRecoveryTest, SilenceBringsTwoProbesWithTheOldestData) {
  WarmUp();
  Enqueue(1160 * 5);
  SendAll();
  // srtt 1 ms + 4 * 0.5 ms + max_ack_delay 0.25 ms
  EXPECT_EQ(RunTimer(), Duration::Micros(3250));
  const auto probes = SendAll();
  ASSERT_EQ(probes.size(), 2u);
  EXPECT_EQ(probes[0].segments[0].offset, 11600u);
  EXPECT_EQ(probes[1].segments[0].offset, 11600u + 1160u);
  EXPECT_EQ(connection_.stats().ptos, 1u);
}

TEST_F(LossRecoveryTest, ProbesExceedAFullWindow) {
  Enqueue(1'000'000);
  SendAll();
  RunTimer();
  EXPECT_EQ(SendAll().size(), 2u);
}

TEST_F(LossRecoveryTest, ProbesAreNotLimitedByThePeersQueue) {
  ConnectionConfig config = Config();
  config.max_packets_in_flight = 4;
  connection_ = Connection(config, now_);
  Enqueue(1'000'000);
  SendAll();
  for (int i = 0; i < 100; ++i) {
    RunTimer();
    if (connection_.state() == ConnectionState::kDead) return;
    EXPECT_EQ(SendAll().size(), 2u) << i;
  }
}

TEST_F(LossRecoveryTest, AProbeTimeoutDoesNotReduceTheWindow) {
  WarmUp();
  Enqueue(1160 * 5);
  SendAll();
  const ByteCount before = connection_.congestion_window();
  RunTimer();
  EXPECT_EQ(connection_.congestion_window(), before);
}

TEST_F(LossRecoveryTest, ProbesBackOffExponentially) {
  WarmUp();
  Enqueue(1160);
  SendAll();
  Duration previous = RunTimer();
  SendAll();
  for (int i = 0; i < 5; ++i) {
    const Duration wait = RunTimer();
    SendAll();
    EXPECT_EQ(wait, previous * 2);
    previous = wait;
  }
}

TEST_F(LossRecoveryTest, WhatAProbeTookOverIsNotSentAThirdTime) {
  const PacketNumber first = WarmUp();
  Enqueue(1160);
  SendAll();
  RunTimer();
  SendAll();
  Pass(Duration::Millis(10));
  Ack({{first + 1, first + 2}});
  Pass(Duration::Millis(10));
  connection_.OnTimer(now_);
  EXPECT_FALSE(SendOne().has_value());
  EXPECT_EQ(AckedBytes(), 1160u);
  EXPECT_EQ(connection_.bytes_in_flight(), 0u);
}

TEST_F(LossRecoveryTest, WithNothingToRepeatAProbeIsAPing) {
  const PacketNumber first = WarmUp();
  Enqueue(1160);
  SendAll();
  RunTimer();
  const auto probes = SendAll();
  ASSERT_EQ(probes.size(), 2u);
  EXPECT_EQ(probes[0].plan.number, first + 1);
  EXPECT_FALSE(probes[0].plan.ping);
  EXPECT_TRUE(probes[1].plan.ping);
}

TEST_F(LossRecoveryTest, LaterProbesAreSmallInCaseThePathBecameNarrow) {
  ConnectionConfig config = Config();
  config.max_packet_size = 9000;
  connection_ = Connection(config, now_);
  Enqueue(1'000'000);
  SendOne();
  Ack({{1, 1}});
  ASSERT_EQ(connection_.packet_size(), 9000u);
  SendAll();
  RunTimer();
  EXPECT_EQ(SendAll()[0].bytes, 9000u);
  RunTimer();
  EXPECT_EQ(SendAll()[0].bytes, 1200u);
}

TEST_F(LossRecoveryTest, APathThatBecameNarrowIsFoundOut) {
  ConnectionConfig config = Config();
  config.max_packet_size = 9000;
  connection_ = Connection(config, now_);
  Enqueue(2'000'000);
  SendOne();
  Ack({{1, 1}});
  SendAll();
  for (int i = 0; i < 20 && connection_.packet_size() == 9000; ++i) {
    RunTimer();
    for (const Sent& sent : SendAll()) {
      if (sent.bytes <= 1200) Ack({{sent.plan.number, sent.plan.number}});
    }
  }
  EXPECT_EQ(connection_.packet_size(), 1200u);
}

TEST_F(LossRecoveryTest, LossOfAnMtuProbeIsNotCongestion) {
  ConnectionConfig config = Config();
  config.max_packet_size = 9000;
  connection_ = Connection(config, now_);
  Enqueue(1160 * 10);
  SendAll();
  const ByteCount before = connection_.congestion_window();
  Pass(Duration::Millis(1));
  Ack({{2, 11}});
  EXPECT_EQ(connection_.stats().packets_lost, 1u);
  EXPECT_GE(connection_.congestion_window(), before);
  EXPECT_EQ(connection_.queued_bytes(), 0u);
}

TEST_F(LossRecoveryTest, PersistentCongestionLeavesTwoPackets) {
  PacketNumber last = WarmUp() - 1;
  for (int i = 0; i < 12; ++i) {
    Enqueue(1160);
    last += SendAll().size();
    Pass(Duration::Millis(2));
  }
  Ack({{last, last}});
  EXPECT_EQ(connection_.congestion_window(), 2 * 1200u);
}

TEST_F(LossRecoveryTest, AnAcknowledgementInBetweenIsNoPersistentCongestion) {
  const PacketNumber first = WarmUp();
  PacketNumber last = first - 1;
  for (int i = 0; i < 12; ++i) {
    Enqueue(1160);
    last += SendAll().size();
    Pass(Duration::Millis(1));
  }
  Ack({{last, last}, {first + 5, first + 6}});
  EXPECT_GT(connection_.congestion_window(), 2 * 1200u);
}

TEST_F(LossRecoveryTest, SilenceForTheUserTimeoutIsDeath) {
  Enqueue(1160);
  SendAll();
  const Time start = now_;
  while (connection_.state() == ConnectionState::kOpen && now_ - start < Duration::Seconds(60)) {
    RunTimer();
    SendAll();
  }
  EXPECT_EQ(connection_.state(), ConnectionState::kDead);
  EXPECT_EQ(now_ - start, Duration::Seconds(20));
  EXPECT_EQ(connection_.NextTimeout(), Time::Infinite());
  EXPECT_FALSE(SendOne().has_value());
}

TEST_F(LossRecoveryTest, AnyAcknowledgementKeepsAConnectionAlive) {
  Enqueue(1160);
  PacketNumber last = SendAll().size();
  const Time start = now_;
  while (now_ - start < Duration::Seconds(60)) {
    RunTimer();
    last += SendAll().size();
    Ack({{last, last}});
    Enqueue(1160);
    last += SendAll().size();
    ASSERT_EQ(connection_.state(), ConnectionState::kOpen);
  }
}

TEST_F(LossRecoveryTest, FailoverTakesEachUnacknowledgedByteOnce) {
  Enqueue(1160 * 40);
  SendAll();
  Pass(Duration::Millis(1));
  Ack({
      {1, 3},
  });
  Ack({{10, 20}, {1, 3}});
  SendOne();
  RunTimer();
  SendAll();
  const uint64_t acked = AckedBytes();
  std::vector<bool> seen(1160 * 40);
  uint64_t taken = 0;
  while (const auto segment = connection_.TakeUnacknowledged()) {
    for (uint64_t i = 0; i < segment->length; ++i) {
      EXPECT_FALSE(seen[segment->offset + i]);
      seen[segment->offset + i] = true;
    }
    taken += segment->length;
  }
  EXPECT_EQ(taken + acked, 1160u * 40u);
  EXPECT_EQ(connection_.bytes_in_flight(), 0u);
  EXPECT_EQ(connection_.NextTimeout(), Time::Infinite());
}

TEST_F(LossRecoveryTest, ADeadConnectionHandsOverWhatItHeld) {
  Enqueue(5000, true);
  connection_.Enqueue(Control(SegmentKind::kWindow, 3));
  SendAll();
  while (connection_.state() == ConnectionState::kOpen) {
    RunTimer();
    SendAll();
  }
  uint64_t bytes = 0;
  int controls = 0;
  bool fin = false;
  while (const auto segment = connection_.TakeUnacknowledged()) {
    bytes += segment->length;
    fin |= segment->fin;
    controls += segment->kind == SegmentKind::kWindow ? 1 : 0;
  }
  EXPECT_EQ(bytes, 5000u);
  EXPECT_TRUE(fin);
  EXPECT_EQ(controls, 1);
}

TEST_F(LossRecoveryTest, ManyAckOnlyPacketsDoNotPushOutDataInFlight) {
  Enqueue(1160);
  SendAll();
  const PacketNumber batch = Config().ack_threshold;
  for (PacketNumber n = 1; n < 20'000; n += batch) {
    for (PacketNumber i = n; i < n + batch; ++i)
      connection_.OnPacket(now_, i, {.ack_eliciting = true});
    ASSERT_TRUE(SendOne()->plan.ack);
  }
  Ack({{1, 1}});
  EXPECT_EQ(AckedBytes(), 1160u);
  EXPECT_EQ(connection_.bytes_in_flight(), 0u);
}

TEST_F(LossRecoveryTest, WhatIsPushedOutOfTheRecordIsSentAgain) {
  ConnectionConfig config = Config();
  config.max_packets_in_flight = 4;
  connection_ = Connection(config, now_);
  Enqueue(1160);
  SendAll();
  uint64_t again = 0;
  const PacketNumber batch = config.ack_threshold;
  for (PacketNumber n = 1; n < 4000; n += batch) {
    for (PacketNumber i = n; i < n + batch; ++i)
      connection_.OnPacket(now_, i, {.ack_eliciting = true});
    for (const Sent& sent : SendAll()) again += sent.data_bytes();
  }
  EXPECT_GE(again, 1160u);
}

}  // namespace
}  // namespace netchannel::transport
