// SPDX-License-Identifier: Apache-2.0
#include "transport/ack_tracker.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"
#include "test_support.h"

namespace netchannel::transport {
namespace {

constexpr ByteCount kSpace = 1200;
constexpr Duration kDelay = Duration::Micros(250);

class AckTrackerTest : public ::testing::Test {
 protected:
  Receipt Get(PacketNumber number, Ecn ecn = Ecn::kEct0) {
    return tracker_.OnPacket(now_, number, {.ack_eliciting = true, .ecn = ecn});
  }
  void GetRange(PacketNumber low, PacketNumber high) {
    for (PacketNumber n = low; n <= high; ++n) Get(n);
  }
  // The numbers that the next ACK tells; the ACK is then sent.
  std::set<PacketNumber> SendAck() {
    tracker_.Prepare(kSpace);
    const wire::Ack ack = tracker_.Build(now_);
    std::set<PacketNumber> numbers;
    PacketNumber high = ack.largest;
    PacketNumber low = high - ack.first_length + 1;
    for (int i = 0;; ++i) {
      for (PacketNumber n = low; n <= high; ++n) numbers.insert(n);
      if (i == ack.range_count) break;
      high = low - ack.ranges[i].gap - 1;
      low = high - ack.ranges[i].length + 1;
    }
    told_ = tracker_.OnAckSent(now_);
    return numbers;
  }

  Time now_ = AtMillis(0);
  AckTracker tracker_{4, kDelay, 1024};
  AckTracker::Told told_;
};

TEST_F(AckTrackerTest, IsDueAtOnceWhenTheSenderAsks) {
  Get(1);
  EXPECT_FALSE(tracker_.IsDue(now_));
  tracker_.OnPacket(now_, 2, {.ack_eliciting = true, .ack_now = true});
  EXPECT_TRUE(tracker_.IsDue(now_));
}

TEST_F(AckTrackerTest, AFirstPacketIsAcknowledgedAfterTheDelay) {
  Get(1);
  EXPECT_FALSE(tracker_.IsDue(now_));
  EXPECT_EQ(tracker_.deadline(), now_ + kDelay);
  EXPECT_TRUE(tracker_.IsDue(now_ + kDelay));
}

TEST_F(AckTrackerTest, ThresholdPacketsMakeAnAckDueAtOnce) {
  GetRange(1, 3);
  EXPECT_FALSE(tracker_.IsDue(now_));
  Get(4);
  EXPECT_TRUE(tracker_.IsDue(now_));
}

TEST_F(AckTrackerTest, AGapMakesAnAckDueAtOnce) {
  Get(1);
  Get(3);
  EXPECT_TRUE(tracker_.IsDue(now_));
}

TEST_F(AckTrackerTest, ALateArrivalMakesAnAckDueAtOnce) {
  Get(1);
  Get(3);
  SendAck();
  Get(2);
  EXPECT_TRUE(tracker_.IsDue(now_));
}

TEST_F(AckTrackerTest, AChangeOfMarkingMakesAnAckDueAtOnce) {
  Get(1);
  Get(2, Ecn::kCe);
  EXPECT_TRUE(tracker_.IsDue(now_));
  SendAck();
  Get(3, Ecn::kCe);
  EXPECT_FALSE(tracker_.IsDue(now_));
  Get(4);
  EXPECT_TRUE(tracker_.IsDue(now_));
}

TEST_F(AckTrackerTest, PacketsThatAskForNothingMakeNoAckDue) {
  tracker_.OnPacket(now_, 5, {});
  EXPECT_FALSE(tracker_.pending());
  EXPECT_EQ(tracker_.deadline(), Time::Infinite());
}

TEST_F(AckTrackerTest, ASentAckLeavesNothingPending) {
  GetRange(1, 4);
  SendAck();
  EXPECT_FALSE(tracker_.pending());
  EXPECT_EQ(tracker_.deadline(), Time::Infinite());
}

TEST_F(AckTrackerTest, ASecondCopyIsADuplicate) {
  EXPECT_EQ(Get(1), Receipt::kNew);
  EXPECT_EQ(Get(1), Receipt::kDuplicate);
}

TEST_F(AckTrackerTest, NumbersBelowTheWindowAreTooOld) {
  Get(2000);
  EXPECT_EQ(Get(2000 - 1024), Receipt::kTooOld);
  EXPECT_EQ(Get(2000 - 1023), Receipt::kNew);
  EXPECT_EQ(Get(0), Receipt::kTooOld);
}

TEST_F(AckTrackerTest, AJumpBeyondTheWindowForgetsWhatWasBelow) {
  GetRange(1, 100);
  Get(100'000);
  EXPECT_EQ(Get(100'000 - 1024 + 77), Receipt::kNew);
  EXPECT_EQ(SendAck(), (std::set<PacketNumber>{100'000, 100'000 - 1024 + 77}));
}

TEST_F(AckTrackerTest, AnAckTellsRangesLargestFirst) {
  for (PacketNumber n : {1, 2, 3, 7, 8, 10}) Get(n);
  ASSERT_EQ(tracker_.Prepare(kSpace), wire::kAckRecordFixedSize + 2 * wire::kAckRangeSize);
  const wire::Ack ack = tracker_.Build(now_);
  EXPECT_EQ(ack.largest, 10u);
  EXPECT_EQ(ack.first_length, 1u);
  ASSERT_EQ(ack.range_count, 2);
  EXPECT_EQ(ack.ranges[0].gap, 1u);
  EXPECT_EQ(ack.ranges[0].length, 2u);
  EXPECT_EQ(ack.ranges[1].gap, 3u);
  EXPECT_EQ(ack.ranges[1].length, 3u);
}

TEST_F(AckTrackerTest, AnAckSaysHowLongItsLargestWaited) {
  Get(1);
  now_ = now_ + Duration::Micros(70);
  tracker_.Prepare(kSpace);
  EXPECT_EQ(tracker_.Build(now_).delay, Duration::Micros(70));
}

TEST_F(AckTrackerTest, AnAckCountsMarkedPackets) {
  Get(1, Ecn::kCe);
  Get(2);
  Get(3, Ecn::kCe);
  Get(3, Ecn::kCe);
  tracker_.Prepare(kSpace);
  EXPECT_EQ(tracker_.Build(now_).ce_count, 2u);
}

TEST_F(AckTrackerTest, NoSpaceMeansNoAck) {
  Get(1);
  EXPECT_EQ(tracker_.Prepare(wire::kAckRecordFixedSize - 1), 0u);
}

TEST_F(AckTrackerTest, MoreRangesThanAnAckHoldsAreToldBySuccessiveAcks) {
  std::set<PacketNumber> all;
  for (PacketNumber n = 1; n <= 200; n += 2) {
    Get(n);
    all.insert(n);
  }
  std::set<PacketNumber> told;
  int acks = 0;
  for (; tracker_.pending() && acks < 10; ++acks) told.merge(SendAck());
  EXPECT_EQ(told, all);
  EXPECT_EQ(acks, 4);  // 100 ranges, 33 an ACK
}

TEST_F(AckTrackerTest, TheRestOfAManyRangedAckIsNotSentAsAVolley) {
  for (PacketNumber n = 1; n <= 200; n += 2) Get(n);
  SendAck();
  EXPECT_FALSE(tracker_.IsDue(now_));
  EXPECT_EQ(tracker_.deadline(), now_ + kDelay);
}

TEST_F(AckTrackerTest, WhatThePeerKnowsIsNotToldAgain) {
  GetRange(1, 10);
  GetRange(12, 20);
  SendAck();
  tracker_.OnToldAcknowledged(told_);
  Get(21);
  EXPECT_EQ(SendAck(), (std::set<PacketNumber>{20, 21}));
  EXPECT_FALSE(tracker_.has_gaps());
}

TEST_F(AckTrackerTest, ANumberThatArrivesLateBelowWhatThePeerKnowsIsTold) {
  GetRange(1, 10);
  GetRange(12, 20);
  SendAck();
  tracker_.OnToldAcknowledged(told_);
  EXPECT_EQ(Get(11), Receipt::kNew);
  EXPECT_EQ(SendAck().count(11), 1u);
}

TEST_F(AckTrackerTest, AnAckDoesNotSettleWhatArrivedAfterIt) {
  GetRange(1, 10);
  GetRange(12, 20);
  SendAck();
  const AckTracker::Told first = told_;
  Get(11);
  SendAck();  // lost
  tracker_.OnToldAcknowledged(first);
  Get(21);
  EXPECT_EQ(SendAck().count(11), 1u);
}

TEST_F(AckTrackerTest, AnyOrderOfArrivalIsToldCompletely) {
  SeededRng rng(3);
  std::set<PacketNumber> arrived, told;
  for (int i = 0; i < 3000; ++i) {
    const PacketNumber n = 1 + static_cast<PacketNumber>(i) / 4 + rng.Below(400);
    if (Get(n) == Receipt::kNew) arrived.insert(n);
    if (rng.Chance(0.3)) {
      told.merge(SendAck());
      if (rng.Chance(0.2)) tracker_.OnToldAcknowledged(told_);
    }
  }
  while (tracker_.pending()) told.merge(SendAck());
  EXPECT_EQ(told, arrived);
}

}  // namespace
}  // namespace netchannel::transport
