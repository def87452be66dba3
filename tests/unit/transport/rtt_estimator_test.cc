// SPDX-License-Identifier: Apache-2.0
#include "transport/rtt_estimator.h"

#include <gtest/gtest.h>

#include "test_support.h"
#include "transport/probe_timer.h"

namespace netchannel::transport {
namespace {

TEST(RttEstimatorTest, TheInitialRttStandsBeforeTheFirstSample) {
  RttEstimator rtt(Ms(10), Ms(25));
  EXPECT_FALSE(rtt.has_sample());
  EXPECT_EQ(rtt.smoothed(), Ms(10));
  EXPECT_EQ(rtt.variance(), Ms(5));
}

TEST(RttEstimatorTest, TheFirstSampleSetsAll) {
  RttEstimator rtt(Ms(10), Ms(25));
  rtt.Update(Ms(100), Ms(20));
  EXPECT_EQ(rtt.latest(), Ms(100));
  EXPECT_EQ(rtt.min(), Ms(100));
  EXPECT_EQ(rtt.smoothed(), Ms(100));
  EXPECT_EQ(rtt.variance(), Ms(50));
}

TEST(RttEstimatorTest, LaterSamplesAreSmoothedAsInRfc9002Section5_3) {
  RttEstimator rtt(Ms(10), Ms(25));
  rtt.Update(Ms(100), Ms(0));
  rtt.Update(Ms(180), Ms(0));
  EXPECT_EQ(rtt.smoothed(), Ms(110));
  EXPECT_EQ(rtt.variance(), Duration::Micros(57'500));  // (3 * 50 + 80) / 4
}

TEST(RttEstimatorTest, AckDelayIsTakenOffUpToItsMaximum) {
  RttEstimator rtt(Ms(10), Ms(25));
  rtt.Update(Ms(100), Ms(0));
  rtt.Update(Ms(205), Ms(500));
  EXPECT_EQ(rtt.smoothed(), Ms(110));
}

TEST(RttEstimatorTest, AckDelayNeverTakesASampleBelowTheMinimum) {
  RttEstimator rtt(Ms(10), Ms(25));
  rtt.Update(Ms(100), Ms(0));
  rtt.Update(Ms(108), Ms(20));
  EXPECT_EQ(rtt.smoothed(), Ms(101));
}

TEST(RttEstimatorTest, TheMinimumIgnoresAckDelay) {
  RttEstimator rtt(Ms(10), Ms(25));
  rtt.Update(Ms(100), Ms(0));
  rtt.Update(Ms(90), Ms(20));
  EXPECT_EQ(rtt.min(), Ms(90));
}

TEST(ProbeTimerTest, TheIntervalIsThatOfRfc9002Section6_2_1) {
  RttEstimator rtt(Ms(10), Ms(25));
  rtt.Update(Ms(100), Ms(0));
  EXPECT_EQ(ProbeTimer::Interval(rtt), Ms(100 + 4 * 50 + 25));
}

TEST(ProbeTimerTest, VarianceCountsForAMillisecondAtLeast) {
  RttEstimator rtt(Ms(1), Duration::Micros(250));
  for (int i = 0; i < 100; ++i) rtt.Update(Duration::Micros(100), Duration::Zero());
  EXPECT_GE(ProbeTimer::Interval(rtt), Duration::Micros(100 + 1000 + 250));
  EXPECT_LT(ProbeTimer::Interval(rtt), Duration::Micros(100 + 1001 + 250));
}

TEST(ProbeTimerTest, EachFiringDoublesTheInterval) {
  RttEstimator rtt(Ms(1), Ms(0));
  rtt.Update(Ms(1), Ms(0));  // interval 1 + 2 = 3 ms
  ProbeTimer timer(Duration::Seconds(20));
  Time now = Time::FromNanos(0);
  timer.OnProgress(now, rtt);
  timer.OnSent(now, true);
  EXPECT_EQ(timer.probe_deadline() - now, Ms(3));
  for (int64_t expected : {6, 12, 24}) {
    now = timer.probe_deadline();
    timer.OnFired(now, rtt);
    EXPECT_EQ(timer.probe_deadline() - now, Ms(expected));
  }
}

TEST(ProbeTimerTest, BackoffEndsAtAQuarterOfASecond) {
  RttEstimator rtt(Ms(1), Ms(0));
  ProbeTimer timer(Duration::Seconds(20));
  for (int i = 0; i < 40; ++i) timer.OnFired(Time(), rtt);
  EXPECT_EQ(timer.probe_deadline() - Time(), Ms(250));
}

TEST(ProbeTimerTest, OnePacketThatIsVeryLateDoesNotSilenceTheSender) {
  RttEstimator rtt(Ms(1), Ms(0));
  rtt.Update(Ms(1), Ms(0));
  rtt.Update(Ms(2000), Ms(0));
  ProbeTimer timer(Duration::Seconds(20));
  timer.OnProgress(Time(), rtt);
  EXPECT_LE(timer.probe_deadline() - Time(), Ms(250));
}

TEST(ProbeTimerTest, OnALongPathBackoffEndsAtThreeRoundTrips) {
  RttEstimator rtt(Ms(10), Ms(0));
  rtt.Update(Ms(200), Ms(0));
  ProbeTimer timer(Duration::Seconds(20));
  for (int i = 0; i < 40; ++i) timer.OnFired(Time(), rtt);
  EXPECT_EQ(timer.probe_deadline() - Time(), Ms(600));
}

TEST(ProbeTimerTest, ProbesAreNeverMoreThanASecondApart) {
  RttEstimator rtt(Ms(10), Ms(0));
  rtt.Update(Ms(3000), Ms(0));
  ProbeTimer timer(Duration::Seconds(20));
  timer.OnProgress(Time(), rtt);
  EXPECT_EQ(timer.probe_deadline() - Time(), Ms(1000));
}

TEST(ProbeTimerTest, ProgressEndsTheBackoff) {
  RttEstimator rtt(Ms(1), Ms(0));
  ProbeTimer timer(Duration::Seconds(20));
  timer.OnFired(Time(), rtt);
  timer.OnProgress(Time(), rtt);
  EXPECT_EQ(timer.count(), 0u);
  EXPECT_EQ(timer.probe_deadline() - Time(), Ms(3));
}

TEST(ProbeTimerTest, TheUserTimeoutRunsFromTheFirstPacketAfterSilence) {
  RttEstimator rtt(Ms(1), Ms(0));
  ProbeTimer timer(Duration::Seconds(20));
  const Time later = Time() + Duration::Seconds(100);
  timer.OnSent(later, true);
  timer.OnSent(later + Duration::Seconds(5), false);
  EXPECT_EQ(timer.dead_deadline(), later + Duration::Seconds(20));
}

}  // namespace
}  // namespace netchannel::transport
