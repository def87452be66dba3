// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.h"

#include <gtest/gtest.h>

#include <memory>

namespace netchannel {
namespace {

class HistogramTest : public ::testing::Test {
 protected:
  void RecordRange(Histogram& h, int64_t first, int64_t last) {
    for (int64_t v = first; v <= last; ++v) h.Record(Duration::Nanos(v));
  }
  // On the heap: it is larger than a stack frame should be.
  std::unique_ptr<Histogram> h_ = std::make_unique<Histogram>();
};

TEST_F(HistogramTest, IsZeroWithoutSamples) {
  EXPECT_EQ(h_->count(), 0u);
  EXPECT_EQ(h_->ValueAtPercentile(99), Duration::Zero());
  EXPECT_EQ(h_->mean(), Duration::Zero());
  EXPECT_EQ(h_->min(), Duration::Zero());
}

TEST_F(HistogramTest, SmallValuesAreExact) {
  RecordRange(*h_, 1, 100);
  EXPECT_EQ(h_->ValueAtPercentile(50).nanos(), 50);
  EXPECT_EQ(h_->ValueAtPercentile(99).nanos(), 99);
  EXPECT_EQ(h_->ValueAtPercentile(100).nanos(), 100);
}

TEST_F(HistogramTest, EveryMagnitudeIsWithinHalfAPercent) {
  for (int64_t v = 1; v < 100'000'000'000; v = v * 11 / 10 + 1) {
    h_->Reset();
    h_->Record(Duration::Nanos(v));
    h_->Record(Duration::Nanos(v * 2));  // so that min and max do not correct the answer
    h_->Record(Duration::Nanos(0));
    const double reported = static_cast<double>(h_->ValueAtPercentile(60).nanos());
    EXPECT_NEAR(reported / static_cast<double>(v), 1.0, 0.005) << v;
  }
}

TEST_F(HistogramTest, MeanAndExtremesAreExact) {
  h_->Record(Duration::Nanos(1'000'001));
  h_->Record(Duration::Nanos(3'000'003));
  EXPECT_EQ(h_->mean().nanos(), 2'000'002);
  EXPECT_EQ(h_->min().nanos(), 1'000'001);
  EXPECT_EQ(h_->max().nanos(), 3'000'003);
}

TEST_F(HistogramTest, ATailOfOneInAThousandIsSeen) {
  for (int i = 0; i < 998; ++i) h_->Record(Duration::Micros(5));
  h_->Record(Duration::Millis(7));
  h_->Record(Duration::Millis(7));
  EXPECT_EQ(h_->ValueAtPercentile(99).micros(), 5);
  EXPECT_NEAR(h_->ValueAtPercentile(99.9).seconds(), 0.007, 0.00004);
}

TEST_F(HistogramTest, MergeAddsUp) {
  auto other = std::make_unique<Histogram>();
  RecordRange(*h_, 1, 50);
  RecordRange(*other, 51, 100);
  h_->Merge(*other);
  EXPECT_EQ(h_->count(), 100u);
  EXPECT_EQ(h_->ValueAtPercentile(75).nanos(), 75);
  EXPECT_EQ(h_->max().nanos(), 100);
}

TEST_F(HistogramTest, TooLongDurationsAreClampedAndCounted) {
  h_->Record(Duration::Seconds(1000));
  EXPECT_EQ(h_->clamped(), 1u);
  EXPECT_EQ(h_->max().nanos(), static_cast<int64_t>(Histogram::kMaxNanos));
}

}  // namespace
}  // namespace netchannel
