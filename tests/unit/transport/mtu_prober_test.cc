// SPDX-License-Identifier: Apache-2.0
#include "transport/mtu_prober.h"

#include <gtest/gtest.h>

#include "test_support.h"

namespace netchannel::transport {
namespace {

constexpr ByteCount kAny = 100'000;

class MtuProberTest : public ::testing::Test {
 protected:
  // Probes until the search ends on a path that carries `path` bytes; returns how many probes it
  // took.
  int Search(MtuProber& mtu, ByteCount path) {
    int probes = 0;
    while (const auto size = mtu.NextProbe(now_, kAny)) {
      ++probes;
      mtu.OnProbeSent();
      if (*size <= path) {
        mtu.OnProbeAcked(*size);
      } else {
        mtu.OnProbeLost(now_, *size);
      }
    }
    return probes;
  }
  // The path carries only the smallest packets from now on.
  bool BlackHole(MtuProber& mtu, PacketNumber from) {
    mtu.OnAcked(from + 100, 1200);
    for (PacketNumber n = from; n < from + MtuProber::kBlackHoleLosses; ++n) {
      if (mtu.OnLost(n, 9000)) return true;
    }
    return false;
  }

  Time now_ = AtMillis(0);
  MtuProber mtu_{1200, 9000};
};

TEST_F(MtuProberTest, StartsAtTheMinimum) { EXPECT_EQ(mtu_.packet_size(), 1200u); }

TEST_F(MtuProberTest, OneProbeSufficesWhenThePathCarriesTheMaximum) {
  EXPECT_EQ(Search(mtu_, 9000), 1);
  EXPECT_EQ(mtu_.packet_size(), 9000u);
}

TEST_F(MtuProberTest, OneProbeIsOutAtATime) {
  mtu_.NextProbe(now_, kAny);
  mtu_.OnProbeSent();
  EXPECT_FALSE(mtu_.NextProbe(now_, kAny).has_value());
}

TEST_F(MtuProberTest, ALostProbeIsTriedAgain) {
  const ByteCount size = *mtu_.NextProbe(now_, kAny);
  mtu_.OnProbeSent();
  mtu_.OnProbeLost(now_, size);
  EXPECT_EQ(mtu_.NextProbe(now_, kAny), size);
}

TEST_F(MtuProberTest, TheSearchEndsJustBelowWhatThePathCarries) {
  for (ByteCount path : {1200, 1472, 3478, 5000, 8950, 8999}) {
    MtuProber mtu(1200, 9000);
    Search(mtu, path);
    EXPECT_LE(mtu.packet_size(), path);
    EXPECT_GT(mtu.packet_size() + MtuProber::kResolution, path);
    EXPECT_FALSE(mtu.searching());
  }
}

TEST_F(MtuProberTest, TheSearchTakesABoundedNumberOfProbes) {
  // Each of about log2(7800 / 16) = 9 sizes is tried three times at most.
  EXPECT_LE(Search(mtu_, 1200), 11 * MtuProber::kMaxProbes);
}

TEST_F(MtuProberTest, NothingIsProbedThatTheCallerCannotSend) {
  EXPECT_FALSE(mtu_.NextProbe(now_, 8999).has_value());
}

TEST_F(MtuProberTest, ASearchThatEndedLowIsRepeatedAfterTenMinutes) {
  Search(mtu_, 3000);
  EXPECT_EQ(mtu_.raise_time(), now_ + MtuProber::kRaiseInterval);
  now_ = mtu_.raise_time();
  Search(mtu_, 9000);
  EXPECT_EQ(mtu_.packet_size(), 9000u);
}

TEST_F(MtuProberTest, ABlackHoleFallsBackToTheMinimumAndSearchesAgain) {
  Search(mtu_, 9000);
  EXPECT_TRUE(BlackHole(mtu_, 1));
  EXPECT_EQ(mtu_.packet_size(), 1200u);
  Search(mtu_, 4000);
  EXPECT_GT(mtu_.packet_size(), 3900u);
}

TEST_F(MtuProberTest, ALargePacketThatArrivesLaterRefutesTheBlackHole) {
  Search(mtu_, 9000);
  mtu_.OnAcked(50, 9000);
  EXPECT_FALSE(BlackHole(mtu_, 1));
}

TEST_F(MtuProberTest, LossOfEverythingIsNoBlackHole) {
  Search(mtu_, 9000);
  for (PacketNumber n = 1; n < 100; ++n) EXPECT_FALSE(mtu_.OnLost(n, 9000));
}

TEST_F(MtuProberTest, LossOfSmallPacketsIsNoBlackHole) {
  Search(mtu_, 9000);
  for (PacketNumber n = 1; n < 100; ++n) {
    mtu_.OnAcked(200, 100);
    EXPECT_FALSE(mtu_.OnLost(n, 1200));
  }
}

TEST_F(MtuProberTest, EqualBoundsNeedNoSearch) {
  MtuProber mtu(1472, 1472);
  EXPECT_FALSE(mtu.NextProbe(now_, kAny).has_value());
  EXPECT_EQ(mtu.packet_size(), 1472u);
}

}  // namespace
}  // namespace netchannel::transport
