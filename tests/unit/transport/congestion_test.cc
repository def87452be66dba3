// SPDX-License-Identifier: Apache-2.0
//
// CUBIC, DCTCP and what decides whether a loss is congestion.
#include <gtest/gtest.h>

#include <cmath>

#include "test_support.h"
#include "transport/cubic.h"
#include "transport/dctcp.h"
#include "transport/loss_budget.h"
#include "transport/recovery_episode.h"

namespace netchannel::transport {
namespace {

constexpr ByteCount kSize = 1000;
constexpr ByteCount kMaxWindow = 1'000'000'000;
constexpr Duration kRtt = Duration::Millis(10);
// Long enough that CUBIC's own curve is above Reno's.
constexpr Duration kLongRtt = Duration::Millis(100);

// Acknowledges a window a round trip, all of it used.
class Rounds {
 public:
  explicit Rounds(CongestionController* controller, Duration rtt = kRtt)
      : controller_(controller), rtt_(rtt) {}

  void Run(int rounds, double ce_share = 0, bool window_limited = true) {
    for (int i = 0; i < rounds; ++i) {
      AckSample sample;
      now_ = now_ + rtt_;
      sample.now = now_;
      sample.acked_bytes = controller_->window();
      sample.acked_packets = static_cast<uint32_t>(sample.acked_bytes / kSize);
      sample.ce_packets = static_cast<uint32_t>(std::lround(ce_share * sample.acked_packets));
      sample.largest_acked = next_ - 1;
      next_ += sample.acked_packets;
      sample.next_number = next_;
      sample.smoothed_rtt = rtt_;
      sample.window_limited = window_limited;
      controller_->OnAck(sample);
    }
  }
  Time now() const { return now_; }

 private:
  CongestionController* controller_;
  Duration rtt_;
  Time now_ = AtMillis(0);
  PacketNumber next_ = 100;
};

double Packets(const CongestionController& c) { return static_cast<double>(c.window()) / kSize; }

TEST(CubicTest, StartsWithThirtyTwoPackets) {
  EXPECT_EQ(Cubic(kSize, kMaxWindow).window(), 32 * kSize);
}

TEST(CubicTest, TheFirstWindowOfHugePacketsIsBoundedInBytes) {
  EXPECT_EQ(Cubic(60'000, kMaxWindow).window(), CongestionController::kMaxInitialWindow);
}

TEST(CubicTest, SlowStartDoublesEachRoundTrip) {
  Cubic cubic(kSize, kMaxWindow);
  Rounds(&cubic).Run(3);
  EXPECT_EQ(cubic.window(), 32 * 8 * kSize);
}

TEST(CubicTest, CongestionLeavesSevenTenths) {
  Cubic cubic(kSize, kMaxWindow);
  Rounds(&cubic).Run(5);  // 1024 packets
  cubic.OnCongestion(AtMillis(50));
  EXPECT_NEAR(Packets(cubic), 1024 * 0.7, 1);
  EXPECT_FALSE(cubic.in_slow_start());
}

TEST(CubicTest, KIsTheTimeToReachTheOldWindow) {
  // RFC 9438 section 4.2: K = cbrt((W_max - cwnd_epoch) / C).
  EXPECT_NEAR(Cubic::K(1000, 700), std::cbrt(300 / 0.4), 1e-9);
  EXPECT_NEAR(Cubic::K(1000, 700), 9.086, 0.001);
}

TEST(CubicTest, TheWindowIsTheOldOneAfterKAndPlateausThere) {
  Cubic cubic(kSize, kMaxWindow);
  Rounds rounds(&cubic, kLongRtt);
  rounds.Run(5);
  cubic.OnCongestion(rounds.now());
  const double k = Cubic::K(1024, 1024 * 0.7);
  const int to_k = static_cast<int>(k / kLongRtt.seconds());
  rounds.Run(to_k);
  EXPECT_NEAR(Packets(cubic), 1024, 2);
  rounds.Run(to_k / 10);  // t = 1.1 K: W_max + C (0.1 K)^3
  EXPECT_NEAR(Packets(cubic), 1024 + 0.4 * std::pow(0.1 * k, 3), 2);
}

TEST(CubicTest, HalfWayToKTheCurveIsConcave) {
  Cubic cubic(kSize, kMaxWindow);
  Rounds rounds(&cubic, kLongRtt);
  rounds.Run(5);
  cubic.OnCongestion(rounds.now());
  const double k = Cubic::K(1024, 1024 * 0.7);
  rounds.Run(static_cast<int>(k / 2 / kLongRtt.seconds()));
  EXPECT_NEAR(Packets(cubic), 1024 - 0.4 * std::pow(k / 2, 3), 4);
}

TEST(CubicTest, SmallWindowsGrowAsRenoDoes) {
  Cubic cubic(kSize, kMaxWindow);
  cubic.OnCongestion(AtMillis(0));  // 22.4 packets, of 32
  Rounds(&cubic).Run(10);
  // alpha = 3 (1 - 0.7) / (1 + 0.7) = 0.529 packets a round trip, section 4.3.
  EXPECT_NEAR(Packets(cubic), 32 * 0.7 + 10 * 0.529, 0.3);
}

TEST(CubicTest, FastConvergenceGivesUpASecondLossesShare) {
  Cubic cubic(kSize, kMaxWindow);
  Rounds rounds(&cubic, kLongRtt);
  rounds.Run(5);
  cubic.OnCongestion(rounds.now());  // W_max 1024, window 716.8
  cubic.OnCongestion(rounds.now());  // W_max 716.8 * 0.85, window 501.8
  const double k = Cubic::K(716.8 * 0.85, 716.8 * 0.7);
  rounds.Run(static_cast<int>(k / kLongRtt.seconds()));
  EXPECT_NEAR(Packets(cubic), 716.8 * 0.85, 2);
}

TEST(CubicTest, AnUnusedWindowDoesNotGrow) {
  Cubic cubic(kSize, kMaxWindow);
  Rounds rounds(&cubic);
  rounds.Run(20, 0, false);
  EXPECT_EQ(cubic.window(), 32 * kSize);
}

TEST(CubicTest, TimeInWhichTheWindowIsUnusedIsNotGrowth) {
  Cubic cubic(kSize, kMaxWindow);
  Rounds rounds(&cubic);
  rounds.Run(5);
  cubic.OnCongestion(rounds.now());
  rounds.Run(10);
  const double before = Packets(cubic);
  rounds.Run(5000, 0, false);
  rounds.Run(1);
  EXPECT_LT(Packets(cubic), before * 1.02);
}

TEST(CubicTest, NothingGrowsDuringRecovery) {
  Cubic cubic(kSize, kMaxWindow);
  AckSample sample;
  sample.acked_bytes = 5000;
  sample.window_limited = true;
  sample.in_recovery = true;
  cubic.OnAck(sample);
  EXPECT_EQ(cubic.window(), 32 * kSize);
}

TEST(CubicTest, ASpuriousReductionIsTakenBack) {
  Cubic cubic(kSize, kMaxWindow);
  Rounds rounds(&cubic);
  rounds.Run(5);
  cubic.OnCongestion(rounds.now());
  cubic.OnPersistentCongestion();
  EXPECT_EQ(cubic.window(), 2 * kSize);
  cubic.OnSpurious();
  EXPECT_EQ(cubic.window(), 1024 * kSize);
  EXPECT_TRUE(cubic.in_slow_start());
}

TEST(CubicTest, TheWindowIsNeverBelowTwoPackets) {
  Cubic cubic(kSize, kMaxWindow);
  for (int i = 0; i < 100; ++i) cubic.OnCongestion(AtMillis(i));
  EXPECT_EQ(cubic.window(), 2 * kSize);
}

TEST(CubicTest, TheWindowStopsWhereNoMoreCanBeInFlight) {
  Cubic cubic(kSize, 50 * kSize);
  Rounds(&cubic).Run(10);
  EXPECT_EQ(cubic.window(), 50 * kSize);
}

TEST(CubicTest, LargerPacketsRaiseTheInitialWindow) {
  Cubic cubic(1200, kMaxWindow);
  cubic.SetPacketSize(9000);
  EXPECT_EQ(cubic.window(), 32 * 9000u);
}

TEST(DctcpTest, AlphaIsTheMovingAverageOfTheMarkedShare) {
  Dctcp dctcp(kSize, kMaxWindow);
  Rounds rounds(&dctcp);
  EXPECT_EQ(dctcp.alpha(), 1.0);
  rounds.Run(2);  // an observation window ends
  const double before = dctcp.alpha();
  rounds.Run(1, 0.5);
  // RFC 8257 section 3.3: alpha = alpha * (1 - g) + g * M.
  EXPECT_NEAR(dctcp.alpha(), before * 15 / 16 + 0.5 / 16, 0.01);
}

TEST(DctcpTest, AlphaDecaysWithoutMarks) {
  Dctcp dctcp(kSize, 1000 * kSize);
  Rounds(&dctcp).Run(200);
  EXPECT_LT(dctcp.alpha(), 0.001);
}

TEST(DctcpTest, AFewMarksTakeLittleOfTheWindow) {
  Dctcp dctcp(kSize, 1000 * kSize);
  Rounds rounds(&dctcp);
  rounds.Run(200);
  rounds.Run(1, 0.1);
  rounds.Run(1);
  EXPECT_GT(Packets(dctcp), 990);
  EXPECT_FALSE(dctcp.in_slow_start());
}

TEST(DctcpTest, ConstantMarkingOfAllHalvesEachRound) {
  Dctcp dctcp(kSize, 1000 * kSize);
  Rounds rounds(&dctcp);
  rounds.Run(8);
  rounds.Run(40, 1.0);
  EXPECT_LT(Packets(dctcp), 5);
}

TEST(DctcpTest, LossHalvesTheWindow) {
  Dctcp dctcp(kSize, kMaxWindow);
  dctcp.OnCongestion(AtMillis(0));
  EXPECT_EQ(dctcp.window(), 16 * kSize);
  dctcp.OnSpurious();
  EXPECT_EQ(dctcp.window(), 32 * kSize);
}

TEST(DctcpTest, AvoidanceAddsAPacketARoundTrip) {
  Dctcp dctcp(kSize, kMaxWindow);
  dctcp.OnCongestion(AtMillis(0));
  Rounds(&dctcp).Run(10);
  EXPECT_NEAR(Packets(dctcp), 26, 0.1);
}

TEST(CongestionControllerTest, OnlyDctcpAsksForMarks) {
  EXPECT_FALSE(
      MakeCongestionController(CongestionAlgorithm::kCubic, kSize, kMaxWindow)->ecn_capable());
  EXPECT_TRUE(
      MakeCongestionController(CongestionAlgorithm::kDctcp, kSize, kMaxWindow)->ecn_capable());
}

class LossBudgetTest : public ::testing::Test {
 protected:
  LossBudgetTest() { rtt_.Update(Duration::Millis(1), Duration::Zero()); }
  RttEstimator rtt_{Duration::Millis(1), Duration::Zero()};
  LossBudget budget_;
};

TEST_F(LossBudgetTest, RareLossesAreForgiven) {
  for (int i = 0; i < 100; ++i) {
    budget_.OnAcked(1000);
    EXPECT_TRUE(budget_.Forgive(1, rtt_));
  }
}

TEST_F(LossBudgetTest, MoreThanOneLossInItsShareIsCongestion) {
  int forgiven = 0;
  for (int i = 0; i < 100; ++i) {
    budget_.OnAcked(50);
    forgiven += budget_.Forgive(1, rtt_) ? 1 : 0;
  }
  EXPECT_LT(forgiven, 50);
}

TEST_F(LossBudgetTest, ABurstIsCongestion) {
  budget_.OnAcked(1'000'000);
  EXPECT_FALSE(budget_.Forgive(LossBudget::kMaxLosses + 1, rtt_));
}

TEST_F(LossBudgetTest, ALossWithAQueueIsCongestion) {
  for (int i = 0; i < 50; ++i) rtt_.Update(Duration::Millis(2), Duration::Zero());
  budget_.OnAcked(10'000);
  EXPECT_FALSE(budget_.Forgive(1, rtt_));
}

TEST(RecoveryEpisodeTest, CoversWhatWasSentBeforeIt) {
  RecoveryEpisode episode;
  EXPECT_FALSE(episode.Covers(1));
  episode.Begin(10);
  EXPECT_TRUE(episode.Covers(9));
  EXPECT_FALSE(episode.Covers(10));
}

TEST(RecoveryEpisodeTest, IsSpuriousOnceAllItsLossesAre) {
  RecoveryEpisode episode;
  const uint16_t id = episode.Begin(10);
  episode.OnLost();
  episode.OnLost();
  EXPECT_FALSE(episode.OnSpurious(id));
  EXPECT_TRUE(episode.OnSpurious(id));
  EXPECT_FALSE(episode.Covers(9));
}

TEST(RecoveryEpisodeTest, AnOlderEpisodeIsNotTakenBack) {
  RecoveryEpisode episode;
  const uint16_t old = episode.Begin(10);
  episode.OnLost();
  episode.Begin(20);
  episode.OnLost();
  EXPECT_FALSE(episode.OnSpurious(old));
  EXPECT_FALSE(episode.OnSpurious(0));
}

}  // namespace
}  // namespace netchannel::transport
