// SPDX-License-Identifier: Apache-2.0
#include "transport/loss_detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test_support.h"

namespace netchannel::transport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LossDetectorTest : public ::testing::Test {
 protected:
  LossDetectorTest() { rtt_.Update(Duration::Millis(8), Duration::Zero()); }

  void SendAt(Time now, int count, PacketState state = PacketState::kInFlight) {
    for (int i = 0; i < count; ++i) {
      sent_.Reserve();
      SentPacket& packet = sent_.Plan(0);
      packet.sent_time = now;
      packet.state = state;
      packet.ack_eliciting = state == PacketState::kInFlight;
    }
  }
  std::vector<PacketNumber> Acked(Time now, const wire::Ack& ack) {
    const auto result = losses_.OnAck(now, ack, rtt_);
    if (!result) return {0};
    late_.assign(result->late.begin(), result->late.end());
    return {result->acked.begin(), result->acked.end()};
  }
  std::vector<PacketNumber> Lost(Time now) {
    const auto lost = losses_.DetectLost(now, rtt_);
    return {lost.begin(), lost.end()};
  }

  RttEstimator rtt_{Duration::Millis(8), Duration::Zero()};
  SentPackets sent_{256};
  LossDetector losses_{&sent_};
  std::vector<PacketNumber> late_;
};

TEST_F(LossDetectorTest, AnAckTellsEachPacketOnce) {
  SendAt(AtMillis(0), 5);
  EXPECT_THAT(Acked(AtMillis(8), AckOf({{1, 2}})), ElementsAre(1, 2));
  EXPECT_THAT(Acked(AtMillis(8), AckOf({{4, 5}, {1, 2}})), ElementsAre(4, 5));
  EXPECT_THAT(Acked(AtMillis(8), AckOf({{1, 5}})), ElementsAre(3));
  EXPECT_THAT(Acked(AtMillis(8), AckOf({{1, 5}})), IsEmpty());
}

TEST_F(LossDetectorTest, AnAckForWhatWasNeverSentIsRefused) {
  SendAt(AtMillis(0), 5);
  EXPECT_FALSE(losses_.OnAck(AtMillis(8), AckOf({{1, 6}}), rtt_).has_value());
}

TEST_F(LossDetectorTest, MalformedAcksAreRefused) {
  SendAt(AtMillis(0), 10);
  wire::Ack ack = AckOf({{9, 10}});
  ack.first_length = 0;
  EXPECT_FALSE(losses_.OnAck(AtMillis(8), ack, rtt_).has_value());
  ack.first_length = 11;
  EXPECT_FALSE(losses_.OnAck(AtMillis(8), ack, rtt_).has_value());
  ack = AckOf({{9, 10}, {5, 5}});
  ack.ranges[0].gap = 0;
  EXPECT_FALSE(losses_.OnAck(AtMillis(8), ack, rtt_).has_value());
  ack.ranges[0] = {4, 0};
  EXPECT_FALSE(losses_.OnAck(AtMillis(8), ack, rtt_).has_value());
  ack.ranges[0] = {4, 5};  // would end at 0
  EXPECT_FALSE(losses_.OnAck(AtMillis(8), ack, rtt_).has_value());
  ack.ranges[0] = {0xffffffff, 0xffffffff};
  EXPECT_FALSE(losses_.OnAck(AtMillis(8), ack, rtt_).has_value());
  ack.range_count = wire::kMaxAckRanges + 1;
  EXPECT_FALSE(losses_.OnAck(AtMillis(8), ack, rtt_).has_value());
  EXPECT_THAT(Acked(AtMillis(8), AckOf({{9, 10}, {1, 4}})), ElementsAre(1, 2, 3, 4, 9, 10));
}

TEST_F(LossDetectorTest, ThreeLaterPacketsMakeAPacketLost) {
  SendAt(AtMillis(0), 5);
  Acked(AtMillis(8), AckOf({{2, 3}}));
  EXPECT_THAT(Lost(AtMillis(8)), IsEmpty());
  Acked(AtMillis(8), AckOf({{2, 4}}));
  EXPECT_THAT(Lost(AtMillis(8)), ElementsAre(1));
  EXPECT_THAT(Lost(AtMillis(8)), IsEmpty());
}

TEST_F(LossDetectorTest, NineEighthsOfTheRoundTripMakeAPacketLost) {
  SendAt(AtMillis(0), 2);
  Acked(AtMillis(8), AckOf({{2, 2}}));
  EXPECT_THAT(Lost(AtMillis(8)), IsEmpty());
  EXPECT_EQ(losses_.loss_time(), AtMillis(9));
  EXPECT_THAT(Lost(AtMillis(9)), ElementsAre(1));
  EXPECT_EQ(losses_.loss_time(), Time::Infinite());
}

TEST_F(LossDetectorTest, PacketsAboveTheLargestAcknowledgedAreNeverLost) {
  SendAt(AtMillis(0), 3);
  Acked(AtMillis(8), AckOf({{1, 1}}));
  EXPECT_THAT(Lost(AtMillis(1000)), IsEmpty());
}

TEST_F(LossDetectorTest, PacketsWithoutContentAreNeverLost) {
  SendAt(AtMillis(0), 4, PacketState::kAckOnly);
  SendAt(AtMillis(0), 4);
  Acked(AtMillis(8), AckOf({{8, 8}}));
  EXPECT_THAT(Lost(AtMillis(100)), ElementsAre(5, 6, 7));
}

TEST_F(LossDetectorTest, ALostPacketThatIsAcknowledgedWasLate) {
  SendAt(AtMillis(0), 5);
  Acked(AtMillis(8), AckOf({{2, 5}}));
  ASSERT_THAT(Lost(AtMillis(8)), ElementsAre(1));
  EXPECT_THAT(Acked(AtMillis(10), AckOf({{1, 5}})), IsEmpty());
  EXPECT_THAT(late_, ElementsAre(1));
}

TEST_F(LossDetectorTest, ALatePacketWidensTheReorderingWindow) {
  SendAt(AtMillis(0), 5);
  Acked(AtMillis(8), AckOf({{2, 5}}));
  Lost(AtMillis(8));
  Acked(AtMillis(16), AckOf({{1, 5}}));  // 1 took 16 ms
  SendAt(AtMillis(16), 10);
  Acked(AtMillis(24), AckOf({{7, 15}}));
  EXPECT_THAT(Lost(AtMillis(24)), IsEmpty());
  EXPECT_EQ(losses_.loss_time(), AtMillis(16 + 18));  // 9/8 of 16 ms
}

TEST_F(LossDetectorTest, TheWindowShrinksBackWhenOrderReturns) {
  SendAt(AtMillis(0), 5);
  Acked(AtMillis(8), AckOf({{2, 5}}));
  Lost(AtMillis(8));
  Acked(AtMillis(16), AckOf({{1, 5}}));
  ASSERT_EQ(losses_.LossDelay(rtt_), Duration::Millis(18));
  PacketNumber next = 6;
  for (int64_t ms = 24; ms < 24 + 8 * 40; ms += 8, ++next) {
    SendAt(AtMillis(ms), 1);
    Acked(AtMillis(ms + 8), AckOf({{1, next}}));
  }
  EXPECT_EQ(losses_.LossDelay(rtt_), Duration::Millis(9));
}

TEST_F(LossDetectorTest, NoLatePacketWidensTheWindowWithoutBound) {
  SendAt(AtMillis(0), 5);
  Acked(AtMillis(8), AckOf({{2, 5}}));
  Acked(AtMillis(8000), AckOf({{1, 5}}));
  EXPECT_LE(losses_.LossDelay(rtt_), Duration::Millis(21));  // 9/8 of (8 + 10) ms
}

TEST_F(LossDetectorTest, ForgottenPacketsAreNotTouched) {
  SendAt(AtMillis(0), 5);
  Acked(AtMillis(8), AckOf({{3, 3}}));
  sent_.PopOldest();
  EXPECT_THAT(Lost(AtMillis(20)), ElementsAre(2));
  EXPECT_THAT(Acked(AtMillis(20), AckOf({{1, 5}})), ElementsAre(4, 5));
  EXPECT_THAT(late_, ElementsAre(2));
}

}  // namespace
}  // namespace netchannel::transport
