// SPDX-License-Identifier: Apache-2.0
#include "stack/steering_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "netscheduler/rate_limit.h"

namespace netchannel {
namespace {

using ::testing::HasSubstr;

// Two queues with a lane of each class.
std::vector<xdp::LaneEntry> TwoQueues() {
  const auto lane = [](uint16_t port, uint32_t slot, nc_class app_class) -> xdp::LaneEntry {
    return {port, {slot, NC_SLOT_QUEUE(slot), app_class, NC_ACTION_STEER, slot}};
  };
  return {lane(37000, 0, NC_CLASS_THROUGHPUT), lane(37001, 64, NC_CLASS_LATENCY),
          lane(37002, 1, NC_CLASS_THROUGHPUT), lane(37003, 71, NC_CLASS_LATENCY)};
}

class LaneRuleTest : public testing::Test {
 protected:
  std::string Verdict() const {
    const absl::Status status = CheckLane(lanes_, 0, value_);
    return status.ok() ? "ok" : std::string(status.message());
  }
  std::vector<xdp::LaneEntry> lanes_ = TwoQueues();
  nc_lane value_ = lanes_[0].lane;
};

TEST_F(LaneRuleTest, ALaneMayUseEverySocketOfItsStack) {
  for (const xdp::LaneEntry& other : lanes_) {
    value_.slot = other.lane.own_slot;
    value_.queue = other.lane.queue;
    EXPECT_EQ(Verdict(), "ok") << other.port;
  }
}

TEST_F(LaneRuleTest, ASlotWithoutASocketIsRefusedAndTheOthersAreNamed) {
  value_.slot = 2;
  value_.queue = 2;
  EXPECT_THAT(Verdict(), HasSubstr("slot 2 holds no socket of this stack; it has slots 0, 64, 1"));
}

TEST_F(LaneRuleTest, AQueueThatIsNotTheSlotsIsRefused) {
  value_.slot = 71;
  EXPECT_THAT(Verdict(), HasSubstr("slot 71 is on queue 1, not 0"));
}

TEST_F(LaneRuleTest, UnknownClassesAndActionsAreRefused) {
  value_.app_class = NC_CLASS_UNSET;
  EXPECT_THAT(Verdict(), HasSubstr("class 2"));
  value_ = lanes_[0].lane;
  value_.action = static_cast<nc_action>(3);
  EXPECT_THAT(Verdict(), HasSubstr("action 3"));
}

TEST_F(LaneRuleTest, TheOwnSlotIsNotToBeChanged) {
  value_.own_slot = 1;
  EXPECT_THAT(Verdict(), HasSubstr("own_slot"));
}

TEST_F(LaneRuleTest, AClassKeepsALane) {
  value_.app_class = NC_CLASS_LATENCY;
  EXPECT_EQ(Verdict(), "ok");
  lanes_[2].lane.app_class = NC_CLASS_LATENCY;
  EXPECT_THAT(Verdict(), HasSubstr("the last lane of class throughput"));
}

TEST(PeerRuleTest, ValuesOutsideTheirEnumsAreRefused) {
  EXPECT_TRUE(CheckPeer({NC_PEER_DENY, NC_CLASS_UNSET, 0}).ok());
  EXPECT_TRUE(CheckPeer({NC_PEER_ALLOW, NC_CLASS_LATENCY, 255}).ok());
  EXPECT_FALSE(CheckPeer({static_cast<nc_peer_action>(2), NC_CLASS_UNSET, 0}).ok());
  EXPECT_FALSE(CheckPeer({NC_PEER_ALLOW, static_cast<nc_class>(3), 0}).ok());
  EXPECT_FALSE(CheckPeer({NC_PEER_ALLOW, NC_CLASS_UNSET, 256}).ok());
}

TEST(KnobRuleTest, KnobsHaveRanges) {
  EXPECT_TRUE(CheckKnob(NC_KNOB_DENY_UNKNOWN_PEERS, 1).ok());
  EXPECT_FALSE(CheckKnob(NC_KNOB_DENY_UNKNOWN_PEERS, 2).ok());
  EXPECT_TRUE(CheckKnob(NC_KNOB_CHANNEL_POLICY, 0).ok());
  EXPECT_TRUE(CheckKnob(NC_KNOB_CHANNEL_POLICY, 4).ok());
  EXPECT_THAT(std::string(CheckKnob(NC_KNOB_CHANNEL_POLICY, 9).message()),
              HasSubstr("round-robin"));
  EXPECT_TRUE(CheckKnob(NC_KNOB_RATE_LATENCY, 0).ok());
  EXPECT_TRUE(CheckKnob(NC_KNOB_RATE_LATENCY, RateLimit::kMin.bytes_per_second()).ok());
  EXPECT_FALSE(CheckKnob(NC_KNOB_RATE_LATENCY, RateLimit::kMin.bytes_per_second() - 1).ok());
  EXPECT_FALSE(CheckKnob(NC_KNOB_RATE_THROUGHPUT, UINT64_MAX).ok());
}

TEST(PrefixTest, MapKeysReadAsPeopleWriteThem) {
  for (const char* text : {"10.0.0.0/8", "192.0.2.7/32", "fd00::/64", "0.0.0.0/0", "::/0"}) {
    EXPECT_EQ(PrefixText(ToMapKey(*IpPrefix::Parse(text))), text);
  }
}

TEST(PrefixTest, BitsBehindThePrefixDoNotCount) {
  nc_peer_prefix key = ToMapKey(*IpPrefix::Parse("10.1.2.3/32"));
  key.prefixlen = 96 + 8;
  EXPECT_EQ(PrefixText(key), "10.0.0.0/8");
  EXPECT_TRUE(ToPeerRule(key, {}).prefix.Contains(*wire::IpAddress::Parse("10.9.9.9")));
}

PeerRule Rule(const char* prefix, bool deny) {
  return {*IpPrefix::Parse(prefix), deny, std::nullopt, 0};
}

TEST(PeerRulesTest, TheLongestPrefixCounts) {
  const PeerRules rules({Rule("10.0.0.0/8", true), Rule("10.1.0.0/16", false)}, false);
  EXPECT_TRUE(rules.Denies(*wire::IpAddress::Parse("10.2.0.1")));
  EXPECT_FALSE(rules.Denies(*wire::IpAddress::Parse("10.1.0.1")));
  EXPECT_FALSE(rules.Denies(*wire::IpAddress::Parse("192.0.2.1")));
}

TEST(PeerRulesTest, UnknownPeersAreDeniedWhereThatIsAskedFor) {
  const PeerRules rules({Rule("10.0.0.0/8", false)}, true);
  EXPECT_FALSE(rules.Denies(*wire::IpAddress::Parse("10.2.0.1")));
  EXPECT_TRUE(rules.Denies(*wire::IpAddress::Parse("192.0.2.1")));
  EXPECT_TRUE(rules.Denies(*wire::IpAddress::Parse("fd00::1")));
}

}  // namespace
}  // namespace netchannel
