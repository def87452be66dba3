// SPDX-License-Identifier: Apache-2.0
#include "daemon/control_turns.h"

#include <gtest/gtest.h>

namespace netchannel {
namespace {

constexpr uid_t kA = 1, kB = 2;

class ControlTurnsTest : public testing::Test {
 protected:
  Time now_ = Time::FromNanos(1'000'000'000);
  ControlTurns turns_;
};

TEST_F(ControlTurnsTest, UsersTakeTurnsAndTheirConnectionsAmongThemselves) {
  for (uint32_t connection = 1; connection <= 3; ++connection) turns_.Add(kA, connection);
  turns_.Add(kB, 11);
  EXPECT_EQ(turns_.Next(now_), 1u);
  turns_.Add(kA, 1);  // it has more
  EXPECT_EQ(turns_.Next(now_), 11u);
  EXPECT_EQ(turns_.Next(now_), 2u);
  EXPECT_EQ(turns_.Next(now_), 3u);
  EXPECT_EQ(turns_.Next(now_), 1u);
  EXPECT_EQ(turns_.Next(now_), std::nullopt);
  EXPECT_TRUE(turns_.NextTimeout().is_infinite());
}

TEST_F(ControlTurnsTest, WhoIsBeyondHisRateWaitsAndNobodyElse) {
  turns_.Charge(now_, kA, ControlTurns::kBurst);
  turns_.Add(kA, 1);
  EXPECT_EQ(turns_.Next(now_), 1u) << "a whole burst is no more than he may";
  turns_.Charge(now_, kA, 10);
  turns_.Add(kA, 1);
  turns_.Add(kB, 11);
  EXPECT_EQ(turns_.Next(now_), 11u);
  EXPECT_EQ(turns_.Next(now_), std::nullopt);
  EXPECT_EQ(turns_.NextTimeout(), now_ + ControlTurns::kMessageTime * 10);
  now_ = turns_.NextTimeout() - Duration::Nanos(1);
  EXPECT_EQ(turns_.Next(now_), std::nullopt);
  EXPECT_EQ(turns_.Next(now_ + Duration::Nanos(1)), 1u) << "what waited is not lost";
}

TEST_F(ControlTurnsTest, WhoIsToWaitIsNotReadUntilThen) {
  turns_.Add(kA, 1);
  turns_.Add(kB, 11);
  turns_.Defer(now_ + Duration::Millis(10), kA);
  EXPECT_EQ(turns_.Next(now_), 11u);
  EXPECT_EQ(turns_.Next(now_), std::nullopt);
  EXPECT_EQ(turns_.NextTimeout(), now_ + Duration::Millis(10));
  EXPECT_EQ(turns_.Next(turns_.NextTimeout()), 1u);
}

TEST_F(ControlTurnsTest, OverALongTimeAUserHasItsRate) {
  int64_t served = 0;
  turns_.Add(kA, 1);
  const Time end = now_ + Duration::Seconds(30);
  for (; now_ < end; now_ = now_ + Duration::Millis(1)) {
    while (turns_.Next(now_)) {
      served += 8;
      turns_.Charge(now_, kA, 8);
      turns_.Add(kA, 1);
    }
  }
  const int64_t due = Duration::Seconds(30).nanos() / ControlTurns::kMessageTime.nanos();
  EXPECT_GE(served, due);
  EXPECT_LE(served, due + ControlTurns::kBurst + 8);
}

TEST_F(ControlTurnsTest, AUserIsForgottenWhenHisBurstIsWholeAgainAndNotBefore) {
  turns_.Charge(now_, kA, 10);
  turns_.ForgetIdle(now_);
  EXPECT_EQ(turns_.user_count(), 1u) << "or who comes again would have a new one";
  now_ = now_ + ControlTurns::kMessageTime * 10;
  turns_.Add(kA, 1);
  turns_.ForgetIdle(now_);
  EXPECT_EQ(turns_.user_count(), 1u) << "there is something to read";
  EXPECT_EQ(turns_.Next(now_), 1u);
  turns_.ForgetIdle(now_);
  EXPECT_EQ(turns_.user_count(), 0u);
}

}  // namespace
}  // namespace netchannel
