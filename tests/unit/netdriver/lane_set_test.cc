// SPDX-License-Identifier: Apache-2.0
#include "netdriver/lane_set.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace netchannel {
namespace {

class CountingLane final : public Lane {
 public:
  CountingLane(uint32_t index, uint8_t app_class) {
    info_.index = index;
    info_.app_class = app_class;
  }
  const LaneInfo& info() const override { return info_; }
  size_t Receive(absl::Span<RxPacket>) override { return 0; }
  void Release(absl::Span<const RxPacket>) override {}
  absl::Span<std::byte> Reserve() override {
    ++reserves;
    return free_buffers > 0 ? absl::MakeSpan(buffer_) : absl::Span<std::byte>();
  }
  void Submit(size_t) override { --free_buffers; }
  bool Flush() override {
    ++flushes;
    free_buffers += freed_by_flush;
    return flush_result;
  }
  size_t in_flight() const override { return 0; }
  int wait_fd() const override { return -1; }

  int reserves = 0, flushes = 0, free_buffers = 1, freed_by_flush = 0;
  bool flush_result = true;

 private:
  LaneInfo info_;
  std::array<std::byte, 64> buffer_{};
};

TEST(LaneSetTest, AClassUsesItsOwnLanesInTurn) {
  CountingLane l0(0, 1), t0(1, 0), l1(2, 1), t1(3, 0);
  const std::array<Lane*, 4> all{&l0, &t0, &l1, &t1};
  const LaneSet lanes(all);
  EXPECT_EQ(lanes.Pick(AppClass::kLatency, 0), 0u);
  EXPECT_EQ(lanes.Pick(AppClass::kLatency, 1), 2u);
  EXPECT_EQ(lanes.Pick(AppClass::kLatency, 2), 0u);
  EXPECT_EQ(lanes.Pick(AppClass::kThroughput, 0), 1u);
  EXPECT_EQ(lanes.Pick(AppClass::kThroughput, 1), 3u);
}

TEST(LaneSetTest, AClassWithoutLanesSharesTheOthers) {
  CountingLane t0(0, 0), t1(1, 0);
  const std::array<Lane*, 2> all{&t0, &t1};
  const LaneSet lanes(all);
  EXPECT_EQ(lanes.Pick(AppClass::kLatency, 0), 0u);
  EXPECT_EQ(lanes.Pick(AppClass::kLatency, 1), 1u);
}

TEST(LaneSetTest, ALaneWithoutBuffersIsFlushedOnceAndTriedAgain) {
  CountingLane lane(0, 0);
  lane.free_buffers = 0;
  lane.freed_by_flush = 1;
  const std::array<Lane*, 1> all{&lane};
  LaneSet lanes(all);
  EXPECT_FALSE(lanes.Reserve(0).empty());
  EXPECT_EQ(lane.flushes, 1);
}

TEST(LaneSetTest, AFullLaneIsNotAskedAgainUntilTheNextPoll) {
  CountingLane lane(0, 0);
  lane.free_buffers = 0;
  const std::array<Lane*, 1> all{&lane};
  LaneSet lanes(all);
  EXPECT_TRUE(lanes.Reserve(0).empty());
  const int asked = lane.reserves;
  EXPECT_TRUE(lanes.Reserve(0).empty());
  EXPECT_EQ(lane.reserves, asked);
  lanes.FlushAll();
  EXPECT_TRUE(lanes.needs_poll());
  lane.free_buffers = 1;
  lanes.BeginPoll();
  EXPECT_FALSE(lanes.Reserve(0).empty());
}

TEST(LaneSetTest, OnlyLanesWithSubmittedPacketsAreFlushed) {
  CountingLane used(0, 0), idle(1, 0);
  const std::array<Lane*, 2> all{&used, &idle};
  LaneSet lanes(all);
  lanes.Reserve(0);
  lanes.Submit(0, 10);
  lanes.FlushAll();
  EXPECT_EQ(used.flushes, 1);
  EXPECT_EQ(idle.flushes, 0);
  EXPECT_FALSE(lanes.needs_poll());
}

TEST(LaneSetTest, AFlushThatIsNotCompleteIsRepeated) {
  CountingLane lane(0, 0);
  lane.flush_result = false;
  const std::array<Lane*, 1> all{&lane};
  LaneSet lanes(all);
  lanes.Reserve(0);
  lanes.Submit(0, 10);
  lanes.FlushAll();
  EXPECT_TRUE(lanes.needs_poll());
  lane.flush_result = true;
  lanes.FlushAll();
  EXPECT_EQ(lane.flushes, 2);
  EXPECT_FALSE(lanes.needs_poll());
}

}  // namespace
}  // namespace netchannel
