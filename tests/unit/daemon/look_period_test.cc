// SPDX-License-Identifier: Apache-2.0
#include "daemon/look_period.h"

#include <gtest/gtest.h>

namespace netchannel {
namespace {

TEST(LookPeriod, GrowsToItsBoundWhileNothingComes) {
  LookPeriod period;
  EXPECT_EQ(period.OnLook(false), LookPeriod::kShortest * 2);
  EXPECT_EQ(period.OnLook(false), LookPeriod::kShortest * 4);
  for (int i = 0; i < 100; ++i) period.OnLook(false);
  EXPECT_EQ(period.OnLook(false), LookPeriod::kLongest);
}

TEST(LookPeriod, BeginsAnewWithAFind) {
  LookPeriod period;
  for (int i = 0; i < 100; ++i) period.OnLook(false);
  EXPECT_EQ(period.OnLook(true), LookPeriod::kShortest);
  EXPECT_EQ(period.OnLook(false), LookPeriod::kShortest * 2);
}

}  // namespace
}  // namespace netchannel
