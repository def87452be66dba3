// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/scheduler.h"

#include <gtest/gtest.h>

#include <map>

#include "fake_channels.h"

namespace netchannel {
namespace {

constexpr AppClass kT = AppClass::kThroughput;
constexpr AppClass kL = AppClass::kLatency;
constexpr ByteCount kQuantum = 1000;

class SchedulerTest : public testing::Test {
 protected:
  void SetUp() override { Make("round-robin"); }
  void Make(std::string_view policy) {
    scheduler_ = *Scheduler::Create({.policy = policy, .quantum = kQuantum});
  }
  void AddReady(FlowId flow, SessionHandle session, AppClass app_class, ByteCount bytes,
                uint32_t weight = 1) {
    scheduler_->AddFlow(flow, session, {.app_class = app_class, .weight = weight});
    ready_[flow] = bytes;
    scheduler_->SetReady(flow, bytes, false);
  }
  std::optional<Grant> Serve() { return netchannel::Serve(*scheduler_, port_, ready_); }

  FakeChannels port_;
  std::unique_ptr<Scheduler> scheduler_;
  std::map<FlowId, ByteCount> ready_;
};

TEST_F(SchedulerTest, AnUnknownPolicyIsRefusedAndNamesTheKnownOnes) {
  const auto made = Scheduler::Create({.policy = "best"});
  ASSERT_FALSE(made.ok());
  EXPECT_NE(std::string(made.status().message()).find("round-robin"), std::string::npos);
}

TEST_F(SchedulerTest, NothingReadyGivesNoGrant) {
  port_.Add(kSession, kT, kPlenty);
  scheduler_->AddFlow(1, kSession, {.app_class = kT});
  EXPECT_FALSE(scheduler_->Next(port_).has_value());
}

TEST_F(SchedulerTest, AGrantNamesFlowSessionChannelAndBytes) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(7, kSession, kT, 500);
  const auto grant = Serve();
  ASSERT_TRUE(grant.has_value());
  EXPECT_EQ(grant->flow, 7u);
  EXPECT_EQ(grant->session, kSession);
  EXPECT_EQ(grant->channel, 0);
  EXPECT_EQ(grant->bytes, 500u);
  EXPECT_FALSE(Serve().has_value());
}

TEST_F(SchedulerTest, LatencyGoesBeforeThroughput) {
  port_.Add(kSession, kT, kPlenty);
  port_.Add(kSession, kL, kPlenty);
  AddReady(1, kSession, kT, 5000);
  AddReady(2, kSession, kL, 2500);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Serve()->flow, 2u);
  EXPECT_EQ(Serve()->flow, 1u);
}

TEST_F(SchedulerTest, EachClassUsesItsOwnChannels) {
  port_.Add(kSession, kT, kPlenty);
  port_.Add(kSession, kL, kPlenty);
  AddReady(1, kSession, kT, 10);
  AddReady(2, kSession, kL, 10);
  EXPECT_EQ(Serve()->channel, 1);
  EXPECT_EQ(Serve()->channel, 0);
}

TEST_F(SchedulerTest, ALatencyFlowUsesAnyChannelWhenThereIsNoneOfItsClass) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(1, kSession, kL, 10);
  EXPECT_EQ(Serve()->channel, 0);
}

TEST_F(SchedulerTest, AFullLatencyChannelDoesNotSpillIntoThroughputChannels) {
  port_.Add(kSession, kT, kPlenty);
  port_.Add(kSession, kL, 0);
  AddReady(1, kSession, kL, 10);
  EXPECT_FALSE(Serve().has_value());
}

TEST_F(SchedulerTest, WhenLatencyChannelsAreFullThroughputIsServed) {
  port_.Add(kSession, kT, kPlenty);
  port_.Add(kSession, kL, 0);
  AddReady(1, kSession, kL, 10);
  AddReady(2, kSession, kT, 10);
  EXPECT_EQ(Serve()->flow, 2u);
}

TEST_F(SchedulerTest, FlowsOfOneClassShareByBytes) {
  port_.Add(kSession, kT, kPlenty);
  for (FlowId f = 0; f < 3; ++f) AddReady(f, kSession, kT, 100000);
  std::map<FlowId, ByteCount> sent;
  for (int i = 0; i < 30; ++i) {
    const auto grant = Serve();
    sent[grant->flow] += grant->bytes;
  }
  for (FlowId f = 0; f < 3; ++f) EXPECT_EQ(sent[f], 10 * kQuantum);
}

TEST_F(SchedulerTest, FlowsThatSendInSmallPiecesGetTheSameBytes) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 100000);
  AddReady(1, kSession, kT, 100000);
  std::map<FlowId, ByteCount> sent;
  for (int i = 0; i < 110; ++i) {  // flow 1 uses a tenth of each grant
    const auto grant = scheduler_->Next(port_);
    const ByteCount used = grant->flow == 1 ? std::min<ByteCount>(grant->bytes, 100) : grant->bytes;
    sent[grant->flow] += used;
    ready_[grant->flow] -= used;
    scheduler_->OnSent(*grant, used, ready_[grant->flow], false);
  }
  EXPECT_EQ(sent[0], sent[1]);
}

TEST_F(SchedulerTest, FlowsOfDifferentSessionsShareByBytes) {
  port_.Add(kSession, kT, kPlenty);
  port_.Add(kOtherSession, kT, kPlenty);
  AddReady(0, kSession, kT, 100000);
  AddReady(1, kSession, kT, 100000);
  AddReady(2, kOtherSession, kT, 100000);
  std::map<FlowId, ByteCount> sent;
  for (int i = 0; i < 30; ++i) {
    const auto grant = Serve();
    sent[grant->flow] += grant->bytes;
  }
  for (FlowId f = 0; f < 3; ++f) EXPECT_EQ(sent[f], 10 * kQuantum);
}

TEST_F(SchedulerTest, AWeightOfThreeGetsThreeTimesTheBytes) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 100000, 1);
  AddReady(1, kSession, kT, 100000, 3);
  std::map<FlowId, ByteCount> sent;
  for (int i = 0; i < 20; ++i) {
    const auto grant = Serve();
    sent[grant->flow] += grant->bytes;
  }
  EXPECT_EQ(sent[1], 3 * sent[0]);
}

TEST_F(SchedulerTest, AnIdleFlowKeepsNoCredit) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 100);
  Serve();  // 900 bytes of credit are lost
  ready_[0] = 5000;
  scheduler_->SetReady(0, 5000, false);
  EXPECT_EQ(Serve()->bytes, kQuantum);
}

TEST_F(SchedulerTest, AGrantIsNotLargerThanTheChannelsRoom) {
  port_.Add(kSession, kT, 300);
  AddReady(0, kSession, kT, 5000);
  EXPECT_EQ(Serve()->bytes, 300u);
}

TEST_F(SchedulerTest, FullChannelsAreSkipped) {
  port_.Add(kSession, kT, 0);
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 5000);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Serve()->channel, 1);
}

TEST_F(SchedulerTest, ASessionWithFullChannelsDoesNotHoldUpAnother) {
  port_.Add(kSession, kT, 0);
  port_.Add(kOtherSession, kT, kPlenty);
  AddReady(0, kSession, kT, 5000);
  AddReady(1, kOtherSession, kT, 5000);
  EXPECT_EQ(Serve()->flow, 1u);
}

TEST_F(SchedulerTest, FullChannelsAreLookedAtOncePerRoundForAllTheirFlows) {
  port_.Add(kSession, kT, 0);
  for (FlowId f = 0; f < 100; ++f) AddReady(f, kSession, kT, 5000);
  scheduler_->BeginRound(Time());
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(scheduler_->Next(port_).has_value());
  EXPECT_EQ(port_.looks, 1);
}

TEST_F(SchedulerTest, AFlowThatFoundNoRoomIsServedInALaterRound) {
  port_.Add(kSession, kT, 0);
  AddReady(0, kSession, kT, 5000);
  EXPECT_FALSE(Serve().has_value());
  port_.channels[kSession.slot][0].capacity = kPlenty;
  scheduler_->BeginRound(Time());
  EXPECT_EQ(Serve()->flow, 0u);
}

TEST_F(SchedulerTest, AFlowThatBecomesReadyWhileItsSessionIsFullWaitsWithIt) {
  port_.Add(kSession, kT, 0);
  AddReady(0, kSession, kT, 5000);
  EXPECT_FALSE(Serve().has_value());
  AddReady(1, kSession, kT, 5000);
  EXPECT_FALSE(Serve().has_value());
  port_.channels[kSession.slot][0].capacity = kPlenty;
  scheduler_->BeginRound(Time());
  EXPECT_EQ(Serve()->flow, 0u);
  EXPECT_EQ(Serve()->flow, 1u);
}

TEST_F(SchedulerTest, ARefusedGrantIsRetriedInTheNextRoundOnly) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 5000);
  const auto grant = scheduler_->Next(port_);
  scheduler_->OnSent(*grant, 0, 5000, false);
  EXPECT_FALSE(scheduler_->Next(port_).has_value());
  scheduler_->BeginRound(Time());
  EXPECT_TRUE(scheduler_->Next(port_).has_value());
}

TEST_F(SchedulerTest, APinnedFlowWaitsForItsChannelWhileOthersGo) {
  Make("pinned");
  port_.Add(kSession, kT, 0);
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 5000);
  AddReady(1, kSession, kT, 1500);
  EXPECT_EQ(Serve()->flow, 1u);
  EXPECT_EQ(Serve()->flow, 1u);
  EXPECT_FALSE(Serve().has_value());
  port_.channels[kSession.slot][0].capacity = kPlenty;
  scheduler_->BeginRound(Time());
  EXPECT_EQ(Serve()->flow, 0u);
}

TEST_F(SchedulerTest, ABareFinGetsAGrantOfNoBytes) {
  port_.Add(kSession, kT, kPlenty);
  scheduler_->AddFlow(0, kSession, {.app_class = kT});
  scheduler_->SetReady(0, 0, true);
  const auto grant = scheduler_->Next(port_);
  ASSERT_TRUE(grant.has_value());
  EXPECT_EQ(grant->bytes, 0u);
  scheduler_->OnSent(*grant, 0, 0, false);
  EXPECT_FALSE(scheduler_->Next(port_).has_value());
}

TEST_F(SchedulerTest, ARemovedFlowGetsNothing) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 5000);
  AddReady(1, kSession, kT, 500);
  scheduler_->RemoveFlow(0);
  EXPECT_EQ(Serve()->flow, 1u);
  EXPECT_FALSE(Serve().has_value());
}

TEST_F(SchedulerTest, AFlowCanBeRemovedWhileItsSessionIsFull) {
  port_.Add(kSession, kT, 0);
  AddReady(0, kSession, kT, 5000);
  EXPECT_FALSE(Serve().has_value());
  scheduler_->RemoveFlow(0);
  scheduler_->BeginRound(Time());
  EXPECT_FALSE(Serve().has_value());
}

TEST_F(SchedulerTest, AnIdleFlowIsNotServed) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 5000);
  scheduler_->SetIdle(0);
  EXPECT_FALSE(Serve().has_value());
}

TEST_F(SchedulerTest, ANewWeightHoldsFromTheNextTurnOn) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 100 * kQuantum);
  AddReady(1, kSession, kT, 100 * kQuantum);
  scheduler_->SetWeight(1, 3);
  std::map<FlowId, ByteCount> sent;
  for (int i = 0; i < 20; ++i) {
    const auto grant = Serve();
    sent[grant->flow] += grant->bytes;
  }
  EXPECT_EQ(sent[1], 3 * sent[0]);
}

TEST_F(SchedulerTest, AWeightOutsideTheRangeIsCutToIt) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 1000 * kQuantum, 0);
  AddReady(1, kSession, kT, 1000 * kQuantum, 1000000);
  EXPECT_EQ(Serve()->bytes, kQuantum);
  EXPECT_EQ(Serve()->bytes, kMaxFlowWeight * kQuantum);
}

TEST_F(SchedulerTest, SourcePortsDecideTheChannelOfTheHashPolicy) {
  Make("source-port-hash");
  for (int i = 0; i < 4; ++i) port_.Add(kSession, kT, kPlenty);
  std::map<int, int> flows_of_channel;
  for (FlowId f = 0; f < 64; ++f) {
    scheduler_->AddFlow(f, kSession, {.source_port = static_cast<uint16_t>(50000 + f)});
    ready_[f] = 100;
    scheduler_->SetReady(f, 100, false);
    ++flows_of_channel[Serve()->channel];
  }
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(flows_of_channel[i], 16, 4) << i;
}

constexpr Bandwidth kRate = Bandwidth::BytesPerSecond(1'000'000);

TEST_F(SchedulerTest, ALimitedClassGetsItsRateAndTheOtherAllElse) {
  port_.Add(kSession, kT, kPlenty);
  port_.Add(kSession, kL, kPlenty);
  AddReady(0, kSession, kT, 1 << 30);
  AddReady(1, kSession, kL, 1 << 30);
  scheduler_->SetRate(kL, kRate);
  std::map<FlowId, ByteCount> sent;
  for (int ms = 1000; ms < 3000; ++ms) {
    scheduler_->BeginRound(Time() + Duration::Millis(ms));
    for (int i = 0; i < 100; ++i) {
      const auto grant = Serve();
      ASSERT_TRUE(grant.has_value());
      sent[grant->flow] += grant->bytes;
    }
  }
  // 2 s, and the burst in front.
  EXPECT_NEAR(static_cast<double>(sent[1]), 2.025e6, 2 * kQuantum);
  EXPECT_GT(sent[0], 10 * sent[1]);
}

TEST_F(SchedulerTest, WhoWaitsForItsRateIsToldWhenToComeBack) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 1 << 20);
  EXPECT_EQ(scheduler_->NextTimeout(), Time::Infinite());
  scheduler_->SetRate(kT, kRate);
  const Time now = Time() + Duration::Seconds(1);
  scheduler_->BeginRound(now);
  while (Serve().has_value()) continue;
  const Time next = scheduler_->NextTimeout();
  EXPECT_GT(next, now);
  scheduler_->BeginRound(next - Duration::Nanos(1));
  EXPECT_FALSE(Serve().has_value());
  scheduler_->BeginRound(next);
  EXPECT_TRUE(Serve().has_value());
}

TEST_F(SchedulerTest, ALimitThatIsTakenAwayHoldsNobodyBack) {
  port_.Add(kSession, kT, kPlenty);
  AddReady(0, kSession, kT, 1 << 20);
  scheduler_->SetRate(kT, kRate);
  scheduler_->BeginRound(Time());
  while (Serve().has_value()) continue;
  scheduler_->SetRate(kT, Bandwidth());
  EXPECT_EQ(scheduler_->NextTimeout(), Time::Infinite());
  EXPECT_TRUE(Serve().has_value());
}

TEST_F(SchedulerTest, AFlowChangesItsClassWhileReady) {
  port_.Add(kSession, kT, kPlenty);
  port_.Add(kSession, kL, kPlenty);
  AddReady(0, kSession, kT, 5000);
  AddReady(1, kSession, kT, 5000);
  scheduler_->SetClass(1, kL);
  const auto grant = Serve();
  EXPECT_EQ(grant->flow, 1u);
  EXPECT_EQ(grant->channel, 1);
}

TEST_F(SchedulerTest, ThePolicyIsChangedByNameWhileRunning) {
  port_.Add(kSession, kT, kPlenty, 500);
  port_.Add(kSession, kT, kPlenty, 100);
  AddReady(0, kSession, kT, 5000);
  EXPECT_EQ(Serve()->channel, 0);
  EXPECT_TRUE(scheduler_->SetPolicy("least-backlog").ok());
  EXPECT_EQ(Serve()->channel, 1);
  EXPECT_FALSE(scheduler_->SetPolicy("nonsense").ok());
  EXPECT_EQ(scheduler_->policy(), "least-backlog");
}

TEST_F(SchedulerTest, ASessionThatIsGoneHasNoChannelsAndGetsNothing) {
  AddReady(0, kSession, kT, 5000);
  EXPECT_FALSE(Serve().has_value());
}

}  // namespace
}  // namespace netchannel
