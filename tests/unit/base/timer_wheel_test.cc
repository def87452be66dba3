// SPDX-License-Identifier: Apache-2.0
#include "base/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "base/rng.h"

namespace netchannel {
namespace {

Time At(int64_t nanos) { return Time::FromNanos(nanos); }

TEST(TimerWheel, HasNoDeadlineWhenEmpty) {
  TimerWheel wheel(At(0));
  EXPECT_TRUE(wheel.NextDeadline().is_infinite());
  EXPECT_EQ(wheel.PopExpired(At(1'000'000'000)), nullptr);
}

TEST(TimerWheel, FiresAtTheDeadlineAndNotANanosecondEarlier) {
  TimerWheel wheel(At(0));
  Timer timer;
  for (const int64_t deadline : {1, 5000, 250'000, 1'000'000'007}) {
    wheel.Schedule(timer, At(deadline));
    EXPECT_EQ(wheel.PopExpired(At(deadline - 1)), nullptr) << deadline;
    EXPECT_EQ(wheel.PopExpired(At(deadline)), &timer) << deadline;
    EXPECT_FALSE(timer.scheduled());
  }
}

TEST(TimerWheel, DeadlineInThePastFiresAtOnce) {
  TimerWheel wheel(At(1'000'000));
  Timer timer;
  wheel.Schedule(timer, At(5));
  EXPECT_LE(wheel.NextDeadline(), At(1'000'000));
  EXPECT_EQ(wheel.PopExpired(At(1'000'000)), &timer);
}

TEST(TimerWheel, CancelledTimerDoesNotFire) {
  TimerWheel wheel(At(0));
  Timer a, b;
  wheel.Schedule(a, At(1000));
  wheel.Schedule(b, At(2000));
  wheel.Cancel(a);
  EXPECT_EQ(wheel.NextDeadline(), At(2000));
  EXPECT_EQ(wheel.PopExpired(At(5000)), &b);
  EXPECT_EQ(wheel.PopExpired(At(5000)), nullptr);
  EXPECT_TRUE(wheel.NextDeadline().is_infinite());
}

TEST(TimerWheel, InfiniteDeadlineCancels) {
  TimerWheel wheel(At(0));
  Timer timer;
  wheel.Schedule(timer, At(1000));
  wheel.Schedule(timer, Time::Infinite());
  EXPECT_FALSE(timer.scheduled());
  EXPECT_TRUE(wheel.empty());
}

TEST(TimerWheel, RescheduledTimerFiresOnceAtItsNewDeadline) {
  TimerWheel wheel(At(0));
  Timer timer;
  wheel.Schedule(timer, At(1000));
  wheel.Schedule(timer, At(900'000));
  EXPECT_EQ(wheel.PopExpired(At(899'999)), nullptr);
  EXPECT_EQ(wheel.PopExpired(At(900'000)), &timer);
  EXPECT_EQ(wheel.PopExpired(At(10'000'000)), nullptr);
}

TEST(TimerWheel, ALongIdleTimeDoesNotMakeTheNextDeadlineCoarse) {
  TimerWheel wheel(At(0));
  Timer keepalive, pacing;
  wheel.Schedule(keepalive, At(10'000'000'000));
  EXPECT_EQ(wheel.PopExpired(At(7'654'321'000)), nullptr);
  wheel.Schedule(pacing, At(7'654'321'000 + 12'345));
  EXPECT_EQ(wheel.NextDeadline(), At(7'654'321'000 + 12'345));
  wheel.Cancel(pacing);
  wheel.Cancel(keepalive);
}

TEST(TimerWheel, OwnerLeadsBackFromTheTimer) {
  TimerWheel wheel(At(0));
  int owner = 0;
  Timer timer(&owner);
  wheel.Schedule(timer, At(1));
  EXPECT_EQ(wheel.PopExpired(At(1))->owner(), &owner);
}

TEST(TimerWheel, HoldsTheLastInstantOfATime) {
  TimerWheel wheel(At(0));
  Timer timer;
  wheel.Schedule(timer, At(INT64_MAX - 1));
  EXPECT_LE(wheel.NextDeadline(), At(INT64_MAX - 1));
  EXPECT_EQ(wheel.PopExpired(At(INT64_MAX - 2)), nullptr);
  EXPECT_EQ(wheel.PopExpired(At(INT64_MAX - 1)), &timer);
}

// Against an ordered map: nothing early, nothing late, nothing lost, the next deadline never late.
class TimerWheelModel : public ::testing::TestWithParam<uint64_t> {
 protected:
  static constexpr size_t kTimers = 200;

  void Step() {
    const size_t i = rng_.Below(kTimers);
    const double what = static_cast<double>(rng_.Below(100));
    if (what < 60) {
      const int64_t delay = static_cast<int64_t>(rng_.Next() >> (20 + rng_.Below(40)));
      const Time deadline = now_ + Duration::Nanos(rng_.Chance(0.05) ? -delay / 2 : delay);
      wheel_.Schedule(timers_[i], deadline);
      model_[i] = deadline;
    } else if (what < 75) {
      wheel_.Cancel(timers_[i]);
      model_.erase(i);
    } else {
      now_ = now_ + Duration::Nanos(static_cast<int64_t>(rng_.Next() >> (24 + rng_.Below(36))));
      PopAll();
    }
    ASSERT_EQ(wheel_.size(), model_.size());
    for (const auto& [index, deadline] : model_) ASSERT_LE(wheel_.NextDeadline(), deadline);
  }

  void PopAll() {
    while (Timer* timer = wheel_.PopExpired(now_)) {
      const size_t i = static_cast<size_t>(timer - timers_.get());
      ASSERT_TRUE(model_.contains(i));
      ASSERT_LE(model_[i], now_);
      model_.erase(i);
    }
    for (const auto& [index, deadline] : model_) ASSERT_GT(deadline, now_);
    if (model_.empty()) {
      ASSERT_TRUE(wheel_.NextDeadline().is_infinite());
    } else {
      ASSERT_GT(wheel_.NextDeadline(), now_);
    }
  }

  SeededRng rng_{GetParam()};
  Time now_ = At(static_cast<int64_t>(rng_.Next() >> 20));
  std::unique_ptr<Timer[]> timers_ = std::make_unique<Timer[]>(kTimers);
  TimerWheel wheel_{now_};
  std::map<size_t, Time> model_;
};

TEST_P(TimerWheelModel, AgreesWithAnOrderedMap) {
  for (int step = 0; step < 3000 && !HasFatalFailure(); ++step) Step();
}

INSTANTIATE_TEST_SUITE_P(Seeds, TimerWheelModel, ::testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace netchannel
