// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/channel_policy.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "netscheduler/policies.h"

namespace netchannel {
namespace {

ChannelChoice Choice(absl::Span<const ChannelInfo> channels, ChannelMask with_room,
                     uint32_t flow = 0) {
  return {flow, 0, channels, (ChannelMask{1} << channels.size()) - 1, with_room};
}

const std::array<ChannelInfo, 4> kFour = {{{0, AppClass::kThroughput, 30, 1},
                                           {1, AppClass::kThroughput, 20, 1},
                                           {2, AppClass::kThroughput, 10, 1},
                                           {3, AppClass::kThroughput, 20, 1}}};

TEST(ChannelPolicyTest, AnUnknownNameHasNoPolicy) {
  EXPECT_EQ(MakeChannelPolicy("fastest"), nullptr);
}

TEST(ChannelPolicyTest, EachRegisteredNameMakesThePolicyOfThatName) {
  for (const char* name : {"round-robin", "least-backlog", "source-port-hash", "pinned"}) {
    ASSERT_NE(MakeChannelPolicy(name), nullptr);
    EXPECT_EQ(MakeChannelPolicy(name)->name(), name);
    EXPECT_NE(ChannelPolicyNames().find(name), std::string::npos);
  }
}

TEST(ChannelPolicyTest, APolicyIsFoundByItsNumber) {
  for (const ChannelPolicyEntry& entry : ChannelPolicies()) {
    EXPECT_EQ(FindChannelPolicy(uint64_t{entry.number})->name, entry.name);
  }
  EXPECT_EQ(FindChannelPolicy(uint64_t{0}), nullptr);
  EXPECT_EQ(FindChannelPolicy(uint64_t{1} << 32 | 1), nullptr);
}

TEST(ChannelPolicyTest, APolicyFromOutsideIsRegisteredOnce) {
  EXPECT_TRUE(RegisterChannelPolicy({200, "outside", MakePinnedPolicy}));
  EXPECT_EQ(FindChannelPolicy("outside")->number, 200);
  EXPECT_FALSE(RegisterChannelPolicy({201, "outside", MakePinnedPolicy}));
  EXPECT_FALSE(RegisterChannelPolicy({200, "another", MakePinnedPolicy}));
}

TEST(ChannelPolicyTest, OurNumbersAreNotGivenToPoliciesFromOutside) {
  EXPECT_FALSE(RegisterChannelPolicy({99, "too-low", MakePinnedPolicy}));
  EXPECT_FALSE(RegisterChannelPolicy({202, "", MakePinnedPolicy}));
  EXPECT_EQ(FindChannelPolicy("too-low"), nullptr);
}

TEST(RoundRobinPolicyTest, SixGrantsGoToAChannelAndThenTheNext) {
  const auto policy = MakeChannelPolicy("round-robin");
  ChannelCursor cursor;
  std::vector<uint32_t> chosen;
  for (int i = 0; i < 30; ++i) chosen.push_back(*policy->Choose(Choice(kFour, 0b1111), cursor));
  for (uint32_t i = 0; i < 30; ++i) EXPECT_EQ(chosen[i], i / 6 % 4) << i;
}

TEST(RoundRobinPolicyTest, AFullChannelIsSkippedAndTheNextGetsAWholeBurst) {
  const auto policy = MakeChannelPolicy("round-robin");
  ChannelCursor cursor;
  EXPECT_EQ(policy->Choose(Choice(kFour, 0b1111), cursor), 0u);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(policy->Choose(Choice(kFour, 0b1010), cursor), 1u);
  EXPECT_EQ(policy->Choose(Choice(kFour, 0b1010), cursor), 3u);
}

TEST(LeastBacklogPolicyTest, TheShortestQueueWithRoomIsChosen) {
  const auto policy = MakeChannelPolicy("least-backlog");
  ChannelCursor cursor;
  EXPECT_EQ(policy->Choose(Choice(kFour, 0b1111), cursor), 2u);
  EXPECT_EQ(policy->Choose(Choice(kFour, 0b0011), cursor), 1u);
}

TEST(LeastBacklogPolicyTest, EqualQueuesAreUsedInTurn) {
  const std::array<ChannelInfo, 3> empty = {{{0, AppClass::kThroughput, 0, 1},
                                             {1, AppClass::kThroughput, 0, 1},
                                             {2, AppClass::kThroughput, 0, 1}}};
  const auto policy = MakeChannelPolicy("least-backlog");
  ChannelCursor cursor;
  EXPECT_EQ(policy->Choose(Choice(empty, 0b111), cursor), 0u);
  EXPECT_EQ(policy->Choose(Choice(empty, 0b111), cursor), 1u);
  EXPECT_EQ(policy->Choose(Choice(empty, 0b111), cursor), 2u);
  EXPECT_EQ(policy->Choose(Choice(empty, 0b111), cursor), 0u);
}

TEST(PinnedPolicyTest, AFlowAlwaysHasTheSameChannel) {
  const auto policy = MakeChannelPolicy("pinned");
  ChannelCursor cursor;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(policy->Choose(Choice(kFour, 0b1111, 6), cursor), 2u);
}

TEST(PinnedPolicyTest, AFlowWhoseChannelIsFullWaits) {
  const auto policy = MakeChannelPolicy("pinned");
  ChannelCursor cursor;
  EXPECT_EQ(policy->Choose(Choice(kFour, 0b1011, 6), cursor), std::nullopt);
}

TEST(PinnedPolicyTest, OnlyCandidatesCount) {
  const auto policy = MakeChannelPolicy("pinned");
  ChannelCursor cursor;
  ChannelChoice choice{3, 0, kFour, 0b1010, 0b1010};
  EXPECT_EQ(policy->Choose(choice, cursor), 3u);
}

ChannelChoice FromPort(uint16_t port, ChannelMask with_room) {
  ChannelChoice choice = Choice(kFour, with_room);
  choice.source_port = port;
  return choice;
}

TEST(SourcePortHashPolicyTest, APortAlwaysHasTheSameChannelWhoeverTheFlowIs) {
  const auto policy = MakeChannelPolicy("source-port-hash");
  ChannelCursor cursor;
  ChannelChoice choice = FromPort(40000, 0b1111);
  const auto first = policy->Choose(choice, cursor);
  choice.flow = 17;
  EXPECT_EQ(policy->Choose(choice, cursor), first);
}

TEST(SourcePortHashPolicyTest, PortsInARowSpreadEvenly) {
  const auto policy = MakeChannelPolicy("source-port-hash");
  ChannelCursor cursor;
  for (const int step : {1, 2, 4, 8}) {
    std::array<int, 4> count{};
    for (int i = 0; i < 400; ++i) {
      const auto port = static_cast<uint16_t>(32768 + i * step);
      ++count[*policy->Choose(FromPort(port, 0b1111), cursor)];
    }
    for (const int n : count) EXPECT_NEAR(n, 100, 10) << "step " << step;
  }
}

TEST(SourcePortHashPolicyTest, AFullChannelIsSkipped) {
  const auto policy = MakeChannelPolicy("source-port-hash");
  ChannelCursor cursor;
  const uint32_t own = *policy->Choose(FromPort(40000, 0b1111), cursor);
  EXPECT_EQ(policy->Choose(FromPort(40000, 0b1111 & ~(1u << own)), cursor), (own + 1) % 4);
}

}  // namespace
}  // namespace netchannel
