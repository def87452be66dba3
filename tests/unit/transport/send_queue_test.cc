// SPDX-License-Identifier: Apache-2.0
#include "transport/send_queue.h"

#include <gtest/gtest.h>

#include <vector>

#include "test_support.h"

namespace netchannel::transport {
namespace {

constexpr ByteCount kHeader = wire::kDataRecordHeaderSize;

class SendQueueTest : public ::testing::Test {
 protected:
  std::vector<Segment> Take(ByteCount space) {
    Segment out[64];
    const uint32_t count = queue_.Take(space, out, 64);
    return {out, out + count};
  }

  SendQueue queue_{8};
};

TEST_F(SendQueueTest, ContiguousDataIsJoined) {
  queue_.Enqueue(Data(1, 0, 100));
  queue_.Enqueue(Data(1, 100, 50, true));
  const auto taken = Take(1000);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].length, 150u);
  EXPECT_TRUE(taken[0].fin);
}

TEST_F(SendQueueTest, OtherStreamsGapsAndEndsAreNotJoined) {
  queue_.Enqueue(Data(1, 0, 100));
  queue_.Enqueue(Data(2, 100, 100));
  queue_.Enqueue(Data(2, 300, 100, true));
  queue_.Enqueue(Data(2, 400, 100));
  EXPECT_EQ(Take(1000).size(), 4u);
}

TEST_F(SendQueueTest, JoiningNeverOverflowsALength) {
  queue_.Enqueue(Data(1, 0, 0xffffff00));
  queue_.Enqueue(Data(1, 0xffffff00, 0x200));
  EXPECT_EQ(queue_.data_bytes(), ByteCount{0xffffff00} + 0x200);
  EXPECT_EQ(queue_.Pop().length, 0xffffff00u);
}

TEST_F(SendQueueTest, AFullQueueTakesNothingButWhatJoins) {
  for (uint32_t i = 0; i < 8; ++i) EXPECT_TRUE(queue_.Enqueue(Data(i, 0, 1)));
  EXPECT_FALSE(queue_.Enqueue(Data(9, 0, 1)));
  EXPECT_FALSE(queue_.Enqueue(Control(SegmentKind::kOpen, 9)));
  EXPECT_TRUE(queue_.Enqueue(Data(7, 1, 1)));
  EXPECT_EQ(queue_.data_bytes(), 9u);
}

TEST_F(SendQueueTest, ControlGoesBeforeData) {
  queue_.Enqueue(Data(1, 0, 10));
  queue_.Enqueue(Control(SegmentKind::kWindow, 2));
  const auto taken = Take(1000);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].kind, SegmentKind::kWindow);
}

TEST_F(SendQueueTest, RetransmissionsGoBeforeNewData) {
  queue_.Enqueue(Data(1, 1000, 10));
  const Segment lost = Data(1, 0, 10);
  queue_.Requeue({&lost, 1});
  const auto taken = Take(1000);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].offset, 0u);
}

TEST_F(SendQueueTest, AWaitingControlSegmentIsNotQueuedTwice) {
  queue_.Enqueue(Control(SegmentKind::kWindow, 1));
  queue_.Enqueue(Control(SegmentKind::kWindow, 1));
  const Segment lost = Control(SegmentKind::kWindow, 1);
  queue_.Requeue({&lost, 1});
  queue_.Enqueue(Control(SegmentKind::kWindow, 2));
  EXPECT_EQ(Take(1000).size(), 2u);
}

TEST_F(SendQueueTest, DataIsSlicedToTheSpaceAndFinGoesWithTheLastSlice) {
  queue_.Enqueue(Data(1, 0, 1000, true));
  const auto first = Take(kHeader + 600);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].length, 600u);
  EXPECT_FALSE(first[0].fin);
  const auto second = Take(kHeader + 600);
  EXPECT_EQ(second[0].offset, 600u);
  EXPECT_EQ(second[0].length, 400u);
  EXPECT_TRUE(second[0].fin);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(SendQueueTest, EachSliceKeepsItsOpenAndLeavesRoomForIt) {
  Segment data = Data(1, 0, 1000);
  data.with_open = true;
  queue_.Enqueue(data);
  for (uint32_t expected : {600u, 400u}) {
    const auto slice = Take(kHeader + wire::kOpenRecordSize + 600);
    ASSERT_EQ(slice.size(), 1u);
    EXPECT_EQ(slice[0].length, expected);
    EXPECT_TRUE(slice[0].with_open);
  }
}

TEST_F(SendQueueTest, ASliceNeverExceedsTheLengthField) {
  queue_.Enqueue(Data(1, 0, 100'000));
  EXPECT_EQ(Take(90'000)[0].length, wire::kMaxDataLength);
}

TEST_F(SendQueueTest, ATinyRestOfAPacketIsNotWorthASlice) {
  queue_.Enqueue(Data(1, 0, 100));
  queue_.Enqueue(Data(2, 0, 1000));
  EXPECT_EQ(Take(kHeader + 100 + kHeader + 10).size(), 1u);
}

TEST_F(SendQueueTest, ABareFinIsSent) {
  queue_.Enqueue(Data(1, 500, 0, true));
  const auto taken = Take(kHeader);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_TRUE(taken[0].fin);
}

TEST_F(SendQueueTest, WhatIsTakenFitsTheSpace) {
  for (uint32_t i = 0; i < 4; ++i) queue_.Enqueue(Data(i, 0, 64 + i));
  for (uint32_t i = 0; i < 3; ++i) queue_.Enqueue(Control(SegmentKind::kOpen, i));
  for (ByteCount space = 20; !queue_.empty(); space += 7) {
    ByteCount used = 0;
    for (const Segment& segment : Take(space)) used += SendQueue::RecordSize(segment);
    EXPECT_LE(used, space);
  }
}

TEST_F(SendQueueTest, WhatWasNotSentIsNextAgain) {
  queue_.Enqueue(Data(1, 0, 1000, true));
  queue_.Enqueue(Control(SegmentKind::kReset, 3));
  const auto first = Take(200);
  queue_.PutBack(first);
  const auto again = Take(2000);
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again[0].kind, SegmentKind::kReset);
  EXPECT_EQ(again[1].offset, 0u);
  EXPECT_EQ(again[1].length, 1000u);
  EXPECT_TRUE(again[1].fin);
}

TEST_F(SendQueueTest, LostNeighboursAreSentAgainAsOne) {
  const Segment lost[] = {Data(1, 0, 100), Data(1, 100, 100)};
  queue_.Requeue(lost);
  EXPECT_EQ(Take(1000).size(), 1u);
}

TEST_F(SendQueueTest, ARetransmissionThatArrivedAfterAllIsDropped) {
  const Segment lost[] = {Data(1, 0, 100), Data(1, 100, 100), Data(1, 200, 100)};
  queue_.Requeue(lost);
  queue_.ForgetLost(Data(1, 0, 100));
  queue_.ForgetLost(Data(1, 200, 100));
  EXPECT_EQ(queue_.data_bytes(), 100u);
  const auto taken = Take(1000);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].offset, 100u);
  EXPECT_EQ(taken[0].length, 100u);
}

TEST_F(SendQueueTest, AFinThatIsStillMissingIsNotDropped) {
  const Segment lost = Data(1, 0, 100, true);
  queue_.Requeue({&lost, 1});
  queue_.ForgetLost(Data(1, 0, 100, false));
  EXPECT_FALSE(queue_.empty());
}

TEST_F(SendQueueTest, AnEmptyQueueHoldsNoBytes) {
  queue_.Enqueue(Data(1, 0, 1000));
  queue_.Enqueue(Data(2, 0, 77, true));
  while (!queue_.empty()) Take(100);
  EXPECT_EQ(queue_.data_bytes(), 0u);
}

}  // namespace
}  // namespace netchannel::transport
