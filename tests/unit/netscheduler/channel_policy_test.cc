// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/channel_policy.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace netchannel {
namespace {

constexpr AppClass kT = AppClass::kThroughput;

ChannelChoice Choice(absl::Span<const ChannelInfo> channels, ChannelMask with_room,
                     uint32_t flow = 0) {
  return {flow, channels, (ChannelMask{1} << channels.size()) - 1, with_room};
}

const std::array<ChannelInfo, 4> kFour = {
    {{0, kT, 30, 1}, {1, kT, 20, 1}, {2, kT, 10, 1}, {3, kT, 20, 1}}};

TEST(ChannelPolicyTest, AnUnknownNameHasNoPolicy) {
  EXPECT_EQ(MakeChannelPolicy("fastest"), nullptr);
}

TEST(ChannelPolicyTest, EachRegisteredNameMakesThePolicyOfThatName) {
  for (const char* name : {"round-robin", "least-backlog", "pinned"}) {
    ASSERT_NE(MakeChannelPolicy(name), nullptr);
    EXPECT_EQ(MakeChannelPolicy(name)->name(), name);
    EXPECT_NE(ChannelPolicyNames().find(name), std::string::npos);
  }
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
  const std::array<ChannelInfo, 3> empty = {{{0, kT, 0, 1}, {1, kT, 0, 1}, {2, kT, 0, 1}}};
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
  ChannelChoice choice{3, kFour, 0b1010, 0b1010};
  EXPECT_EQ(policy->Choose(choice, cursor), 3u);
}

}  // namespace
}  // namespace netchannel
