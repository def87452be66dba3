// SPDX-License-Identifier: Apache-2.0
#include "transport/pacer.h"

#include <gtest/gtest.h>

#include "test_support.h"

namespace netchannel::transport {
namespace {

constexpr ByteCount kPacket = 1250;

// 100 Mbit/s: a window of 1 MB over 100 ms at a gain of 1.25.
Pacer Paced() {
  Pacer pacer(true);
  pacer.SetRate(1'000'000, Duration::Millis(100), false, kPacket);
  return pacer;
}

int SendAll(Pacer& pacer, Time now, int limit = 1 << 20) {
  int sent = 0;
  while (sent < limit && pacer.CanSend(now)) {
    pacer.OnSent(now, kPacket);
    ++sent;
  }
  if (sent < limit) pacer.OnHeldBack();
  return sent;
}

TEST(PacerTest, ABurstOfThirtyTwoPacketsPasses) {
  Pacer pacer = Paced();
  EXPECT_NEAR(SendAll(pacer, AtMillis(0)), 32, 1);
}

TEST(PacerTest, AMillisecondsWorthPassesWhenThatIsMore) {
  Pacer pacer(true);
  pacer.SetRate(8'000'000, Duration::Millis(10), false, kPacket);  // 1 MB a millisecond
  EXPECT_NEAR(SendAll(pacer, AtMillis(0)), 800, 1);
}

TEST(PacerTest, OverTimeTheRateIsFiveFourthsOfWindowPerRoundTrip) {
  Pacer pacer = Paced();
  SendAll(pacer, AtMillis(0));
  int sent = 0;
  for (int us = 100; us <= 100'000; us += 100) sent += SendAll(pacer, AtMicros(us));
  EXPECT_NEAR(sent * kPacket, 1'250'000, 2 * kPacket);
}

TEST(PacerTest, SlowStartIsPacedAtTwiceTheRate) {
  Pacer pacer(true);
  pacer.SetRate(1'000'000, Duration::Millis(100), true, kPacket);
  SendAll(pacer, AtMillis(0));
  int sent = 0;
  for (int us = 100; us <= 100'000; us += 100) sent += SendAll(pacer, AtMicros(us));
  EXPECT_NEAR(sent * kPacket, 2'000'000, 2 * kPacket);
}

TEST(PacerTest, LatePollsCostNoThroughput) {
  Pacer pacer = Paced();
  SendAll(pacer, AtMillis(0));
  int sent = 0;
  for (int ms = 10; ms <= 100; ms += 10) sent += SendAll(pacer, AtMillis(ms));
  EXPECT_NEAR(sent * kPacket, 1'250'000, 2 * kPacket);
}

TEST(PacerTest, IdleTimeGivesNoMoreThanABurst) {
  Pacer pacer = Paced();
  SendAll(pacer, AtMillis(0));
  pacer.OnIdle();
  EXPECT_NEAR(SendAll(pacer, AtMillis(1000)), 32, 1);
}

TEST(PacerTest, AHeldBackSenderIsWokenAQuantumLater) {
  Pacer pacer = Paced();
  EXPECT_EQ(pacer.release_time(), Time::Infinite());
  SendAll(pacer, AtMillis(0));
  EXPECT_GE(pacer.release_time(), AtMillis(0) + Pacer::kQuantum);
  EXPECT_LE(pacer.release_time(), AtMillis(0) + Pacer::kQuantum * 3);
}

TEST(PacerTest, WithoutPacingNothingIsHeldBack) {
  Pacer pacer(false);
  pacer.SetRate(1'000'000, Duration::Millis(100), false, kPacket);
  EXPECT_EQ(SendAll(pacer, AtMillis(0), 10'000), 10'000);
}

}  // namespace
}  // namespace netchannel::transport
