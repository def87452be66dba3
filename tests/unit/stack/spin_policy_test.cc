// SPDX-License-Identifier: Apache-2.0
#include "stack/spin_policy.h"

#include <gtest/gtest.h>

namespace netchannel {
namespace {

constexpr Duration kLongest = Duration::Micros(50);
constexpr Duration kAtOnce = Duration::Micros(5);
constexpr Duration kOtherCore = Duration::Micros(35);
constexpr Duration kIdle = Duration::Millis(3);

// Sleeps until it spins again, at most `limit`.
int SleepsWithoutSpin(SpinPolicy& policy, Duration each, int limit) {
  int sleeps = 0;
  while (policy.budget() == Duration::Zero() && sleeps < limit) {
    policy.OnWoken(each);
    ++sleeps;
  }
  return sleeps;
}

TEST(SpinPolicy, SpinsAsLongAsConfiguredAtFirst) {
  EXPECT_EQ(SpinPolicy(kLongest).budget(), kLongest);
}

TEST(SpinPolicy, KeepsSpinningWhenTheNextEventIsFarAway) {
  SpinPolicy policy(kLongest);
  policy.OnWoken(kIdle);
  EXPECT_EQ(policy.budget(), kLongest);
}

TEST(SpinPolicy, StopsSpinningWhenThePeerOnlyNeededTheCore) {
  SpinPolicy policy(kLongest);
  policy.OnWoken(kAtOnce);
  EXPECT_EQ(policy.budget(), Duration::Zero());
}

TEST(SpinPolicy, TriesAgainAfterAWhileAndWaitsTwiceAsLongTheNextTime) {
  SpinPolicy policy(kLongest);
  policy.OnWoken(kAtOnce);
  const int first = SleepsWithoutSpin(policy, kAtOnce, 1000);
  policy.OnWoken(kAtOnce);
  const int second = SleepsWithoutSpin(policy, kAtOnce, 1000);
  EXPECT_GT(first, 0);
  EXPECT_EQ(second, 2 * first);
}

TEST(SpinPolicy, SpinsAgainWhenASleepCostAWakeUpThatSpinningWouldHaveSaved) {
  SpinPolicy policy(kLongest);
  policy.OnWoken(kAtOnce);
  policy.OnWoken(kOtherCore);
  EXPECT_EQ(policy.budget(), kLongest);
}

TEST(SpinPolicy, TheWaitIsBounded) {
  SpinPolicy policy(kLongest);
  int longest = 0;
  for (int i = 0; i < 40; ++i) {
    policy.OnWoken(kAtOnce);
    longest = std::max(longest, SleepsWithoutSpin(policy, kAtOnce, 100000));
  }
  EXPECT_LE(longest, 8192);
}

}  // namespace
}  // namespace netchannel
