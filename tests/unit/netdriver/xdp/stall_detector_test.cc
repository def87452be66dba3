// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/stall_detector.h"

#include <gtest/gtest.h>

namespace netchannel::xdp {
namespace {

constexpr Time At(int64_t seconds) { return Time() + Duration::Seconds(seconds); }

TEST(StallDetectorTest, FiresWhenNothingCompletesForTheLimit) {
  StallDetector detector(Duration::Seconds(5));
  EXPECT_FALSE(detector.Sample(At(0), 3, 10));
  EXPECT_FALSE(detector.Sample(At(4), 3, 10));
  EXPECT_TRUE(detector.Sample(At(5), 3, 10));
}

TEST(StallDetectorTest, AnyCompletionStartsTheLimitAnew) {
  StallDetector detector(Duration::Seconds(5));
  EXPECT_FALSE(detector.Sample(At(0), 3, 10));
  EXPECT_FALSE(detector.Sample(At(4), 3, 11));
  EXPECT_FALSE(detector.Sample(At(8), 3, 11));
  EXPECT_TRUE(detector.Sample(At(9), 3, 11));
}

TEST(StallDetectorTest, IdleLaneNeverStalls) {
  StallDetector detector(Duration::Seconds(5));
  EXPECT_FALSE(detector.Sample(At(0), 0, 10));
  EXPECT_FALSE(detector.Sample(At(100), 0, 10));
}

TEST(StallDetectorTest, LimitCountsFromTheFirstSampleWithPacketsInFlight) {
  StallDetector detector(Duration::Seconds(5));
  EXPECT_FALSE(detector.Sample(At(0), 0, 10));
  EXPECT_FALSE(detector.Sample(At(100), 1, 10));
  EXPECT_FALSE(detector.Sample(At(104), 1, 10));
  EXPECT_TRUE(detector.Sample(At(105), 1, 10));
}

}  // namespace
}  // namespace netchannel::xdp
