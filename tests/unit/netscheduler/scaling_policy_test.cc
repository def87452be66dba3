// SPDX-License-Identifier: Apache-2.0
//
// The adaptive policy under synthetic loads: a model of channels that each carry so many bytes a
// period, and what arrives for them.
#include "netscheduler/scaling_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace netchannel {
namespace {

constexpr ByteCount kLimit = 256 * 1024;

// `offered` bytes arrive each period; `n` channels carry capacity(n), and their threads are busy
// for the share of it that is used. What does not fit waits, up to the channels' limit.
class Model {
 public:
  Model(std::function<ByteCount(uint32_t)> capacity, uint32_t most, double busy = 1.0)
      : capacity_(std::move(capacity)), most_(most), busy_(busy) {}

  void Run(int periods, ByteCount offered) {
    for (int i = 0; i < periods; ++i) {
      const ByteCount capacity = capacity_(open);
      const ByteCount taken = std::min(backlog_ + offered, capacity);
      backlog_ = std::min(backlog_ + offered - taken, open * kLimit);
      const ScalingSample sample{
          .open = open,
          .least = 1,
          .most = most_,
          .backlog = backlog_,
          .backlog_limit = kLimit,
          .taken = taken,
          .cpu = busy_ * static_cast<double>(taken) / static_cast<double>(capacity)};
      Step(policy_->Decide(sample, state_));
    }
  }

  uint32_t open = 1;
  int grown = 0, shrunk = 0;

 private:
  void Step(ScalingStep step) {
    if (step == ScalingStep::kGrow) {
      ASSERT_LT(open, most_);
      ++open;
      ++grown;
    }
    if (step == ScalingStep::kShrink) {
      ASSERT_GT(open, 1u);
      --open;
      ++shrunk;
    }
  }

  const std::function<ByteCount(uint32_t)> capacity_;
  const uint32_t most_;
  const double busy_;
  ByteCount backlog_ = 0;
  std::unique_ptr<ScalingPolicy> policy_ = MakeScalingPolicy("adaptive");
  ScalingState state_;
};

ByteCount Linear(uint32_t channels) { return channels * 1'000'000ull; }

TEST(AdaptiveScaling, GrowsUntilTheLoadIsCarried) {
  Model model(Linear, 8);
  model.Run(400, 2'600'000);
  EXPECT_EQ(model.open, 3u);
  EXPECT_EQ(model.shrunk, 0);
}

TEST(AdaptiveScaling, GrowsToTheMostAndNotBeyond) {
  Model model(Linear, 4);
  model.Run(1000, 100'000'000);
  EXPECT_EQ(model.open, 4u);
}

TEST(AdaptiveScaling, ABurstGrowsNothing) {
  Model model(Linear, 8);
  for (int i = 0; i < 50; ++i) {
    model.Run(AdaptiveScaling::kPressed - 1, 1'100'000);
    model.Run(5, 100'000);
  }
  EXPECT_EQ(model.grown, 0);
}

// A window that opens within 300 ms: the first tries see nothing of it.
TEST(AdaptiveScaling, AChannelThatIsSlowToComeStays) {
  int periods_with_two = 0;
  Model model(
      [&](uint32_t channels) {
        periods_with_two += channels == 2 ? 1 : 0;
        return periods_with_two > 30 ? Linear(channels) : Linear(1);
      },
      2);
  model.Run(AdaptiveScaling::kPressed + 100, 5'000'000);
  EXPECT_EQ(model.open, 2u);
  EXPECT_EQ(model.shrunk, 0);
}

// A try looks good by chance now and then.
TEST(AdaptiveScaling, AChannelThatBringsNothingGoesAlthoughTheRateVaries) {
  uint32_t period = 0;
  Model model(
      [&](uint32_t) {
        ++period;
        return ByteCount{period / AdaptiveScaling::kTrial % 3 == 0 ? 1'100'000u : 1'000'000u};
      },
      8);
  model.Run(4000, 5'000'000);
  EXPECT_LE(model.open, 2u);
  EXPECT_GE(model.shrunk + 1, model.grown);
}

// Waiting for the network, not for us.
TEST(AdaptiveScaling, ABacklogWithIdleThreadsGrowsNothing) {
  Model model(Linear, 8, 0.4);
  model.Run(1000, 5'000'000);
  EXPECT_EQ(model.grown, 0);
}

TEST(AdaptiveScaling, AChannelThatBringsNothingGoesAndTrialsBecomeRare) {
  Model model([](uint32_t) { return ByteCount{1'000'000}; }, 8);
  model.Run(2000, 5'000'000);
  EXPECT_LE(model.open, 2u);
  const int first = model.grown;
  EXPECT_GE(first, 3);
  model.Run(2000, 5'000'000);
  EXPECT_LE(model.grown - first, 2);
  EXPECT_GE(model.shrunk, first);
}

TEST(AdaptiveScaling, StopsWhereMoreBringsNothing) {
  Model model([](uint32_t n) { return std::min<ByteCount>(n, 3) * 1'000'000; }, 8);
  model.Run(3000, 50'000'000);
  EXPECT_GE(model.open, 3u);
  EXPECT_LE(model.open, 4u);
}

TEST(AdaptiveScaling, ShrinksOneByOneWhenTheLoadGoes) {
  Model model(Linear, 4);
  model.Run(1000, 100'000'000);
  ASSERT_EQ(model.open, 4u);
  model.Run(AdaptiveScaling::kRelaxed + 10, 100'000);
  EXPECT_EQ(model.open, 3u);
  model.Run(4 * AdaptiveScaling::kRelaxed, 100'000);
  EXPECT_EQ(model.open, 1u);
}

// Between the thresholds: three carry it with threads that are 60 % busy; two would be 90 %.
TEST(AdaptiveScaling, DoesNotSwingBetweenTwoNumbers) {
  Model model(Linear, 8);
  model.Run(300, 2'900'000);
  ASSERT_EQ(model.open, 3u);
  model.grown = model.shrunk = 0;
  model.Run(5000, 1'800'000);
  EXPECT_EQ(model.open, 3u);
  EXPECT_EQ(model.grown + model.shrunk, 0);
}

TEST(AdaptiveScaling, AFullQueueCountsLikeABusyThread) {
  const auto policy = MakeScalingPolicy("adaptive");
  ScalingState state;
  ScalingSample sample{.open = 1, .least = 1, .most = 4, .backlog = kLimit};
  sample.backlog_limit = kLimit;
  sample.queue = 0.9;
  ScalingStep step = ScalingStep::kStay;
  for (int i = 0; i < AdaptiveScaling::kPressed; ++i) step = policy->Decide(sample, state);
  EXPECT_EQ(step, ScalingStep::kGrow);
}

TEST(FixedScaling, ClosesWhatIsTooMuchAndOpensNothing) {
  const auto policy = MakeScalingPolicy("fixed");
  ScalingState state;
  ScalingSample sample{.open = 2, .least = 2, .most = 8, .backlog = 8 * kLimit};
  sample.cpu = 1;
  EXPECT_EQ(policy->Decide(sample, state), ScalingStep::kStay);
  sample.open = 3;
  EXPECT_EQ(policy->Decide(sample, state), ScalingStep::kShrink);
}

TEST(ScalingPolicies, AreFoundByName) {
  for (const std::string_view name : kScalingPolicies) {
    ASSERT_NE(MakeScalingPolicy(name), nullptr);
    EXPECT_EQ(MakeScalingPolicy(name)->name(), name);
  }
  EXPECT_EQ(MakeScalingPolicy("sometimes"), nullptr);
}

}  // namespace
}  // namespace netchannel
