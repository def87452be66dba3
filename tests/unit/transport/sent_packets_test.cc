// SPDX-License-Identifier: Apache-2.0
#include "transport/sent_packets.h"

#include <gtest/gtest.h>

#include "test_support.h"

namespace netchannel::transport {
namespace {

class SentPacketsTest : public ::testing::Test {
 protected:
  PacketNumber Send(uint32_t segment_count, PacketState state = PacketState::kInFlight) {
    const PacketNumber number = sent_.next();
    Segment* out = sent_.Reserve();
    for (uint32_t i = 0; i < segment_count; ++i) {
      out[i] = Data(static_cast<uint32_t>(number), i, 1);
    }
    SentPacket& packet = sent_.Plan(segment_count);
    packet.state = state;
    return number;
  }
  bool Intact(PacketNumber number, uint32_t segment_count) {
    const auto segments = sent_.Segments(sent_[number]);
    if (segments.size() != segment_count) return false;
    for (uint32_t i = 0; i < segment_count; ++i) {
      if (segments[i].stream.slot != number || segments[i].offset != i) return false;
    }
    return true;
  }

  SentPackets sent_{16};
};

TEST_F(SentPacketsTest, NumbersStartAtOne) { EXPECT_EQ(Send(1), 1u); }

TEST_F(SentPacketsTest, SegmentsSurviveGrowthOfBothRings) {
  for (PacketNumber n = 1; n <= 40; ++n) Send(n % 64);
  for (PacketNumber n = 1; n <= 40; ++n) EXPECT_TRUE(Intact(n, n % 64)) << n;
}

TEST_F(SentPacketsTest, SegmentsOfOnePacketAreContiguousAcrossTheRingsEnd) {
  for (int i = 0; i < 1000; ++i) {
    const uint32_t count = 1 + static_cast<uint32_t>(i * 7) % 64;
    const PacketNumber n = Send(count);
    ASSERT_TRUE(Intact(n, count));
    sent_[n].state = PacketState::kDone;
    if (i % 3 == 0) sent_.PopDone(n);
  }
}

TEST_F(SentPacketsTest, PacketsAreForgottenInOrderOnceDone) {
  for (int i = 0; i < 4; ++i) Send(1);
  sent_[2].state = PacketState::kDone;
  sent_.PopDone(4);
  EXPECT_EQ(sent_.begin(), 1u);
  sent_[1].state = PacketState::kLost;
  sent_.PopDone(4);
  EXPECT_EQ(sent_.begin(), 1u);
  sent_[1].state = PacketState::kDone;
  sent_.PopDone(4);
  EXPECT_EQ(sent_.begin(), 3u);
}

TEST_F(SentPacketsTest, AckOnlyPacketsAreKeptOnlyInSmallNumber) {
  for (int i = 0; i < 1000; ++i) {
    Send(0, PacketState::kAckOnly);
    sent_.PopDone(0);
  }
  EXPECT_LE(sent_.next() - sent_.begin(), 64u);
}

TEST_F(SentPacketsTest, ATakenBackPacketsNumberIsUsedAgain) {
  Send(1);
  Send(3, PacketState::kPlanned);
  sent_.Unplan();
  EXPECT_EQ(Send(2), 2u);
  EXPECT_TRUE(Intact(2, 2));
}

TEST_F(SentPacketsTest, EightWindowsFillItAndTheOldestMakesRoom) {
  while (!sent_.full()) Send(1);
  EXPECT_EQ(sent_.next() - sent_.begin(), 8u * 16u);
  sent_.PopOldest();
  EXPECT_FALSE(sent_.full());
  EXPECT_EQ(sent_.begin(), 2u);
}

TEST_F(SentPacketsTest, SegmentsOfTwoFullWindowsFillIt) {
  while (!sent_.full()) Send(kMaxSegmentsPerPacket);
  EXPECT_EQ(sent_.next() - sent_.begin(), 2u * 16u);
}

}  // namespace
}  // namespace netchannel::transport
