// SPDX-License-Identifier: Apache-2.0
#include "netdriver/absent_peers.h"

#include <gtest/gtest.h>

namespace netchannel {
namespace {

constexpr Duration kRemembered = Duration::Seconds(30);

wire::IpEndpoint Peer(uint32_t n) { return {wire::IpAddress::V4(0x0a000000u + n), 37000}; }

class AbsentPeersTest : public testing::Test {
 protected:
  Time now_ = Time::FromNanos(1'000'000'000);
  AbsentPeers peers_{kRemembered};
};

TEST_F(AbsentPeersTest, AnEntryEndsAfterItsTime) {
  peers_.Remember(now_, Peer(1), Absence::kUnreachable);
  EXPECT_EQ(peers_.Find(now_ + kRemembered - Duration::Nanos(1), Peer(1)), Absence::kUnreachable);
  EXPECT_EQ(peers_.Find(now_ + kRemembered, Peer(1)), std::nullopt);
  EXPECT_EQ(peers_.Find(now_, Peer(2)), std::nullopt);
}

TEST_F(AbsentPeersTest, APeerOnAnotherPortIsAnother) {
  peers_.Remember(now_, Peer(1), Absence::kSilent);
  EXPECT_EQ(peers_.Find(now_, {Peer(1).address, 4000}), std::nullopt);
}

TEST_F(AbsentPeersTest, WhatIsLearntAnewCounts) {
  peers_.Remember(now_, Peer(1), Absence::kSilent);
  peers_.Remember(now_ + Duration::Seconds(20), Peer(1), Absence::kRejected);
  EXPECT_EQ(peers_.Find(now_ + Duration::Seconds(40), Peer(1)), Absence::kRejected);
  EXPECT_EQ(peers_.size(), 1u);
}

TEST_F(AbsentPeersTest, AForgottenPeerIsUnknown) {
  peers_.Remember(now_, Peer(1), Absence::kSilent);
  peers_.Forget(Peer(1));
  peers_.Forget(Peer(2));
  EXPECT_EQ(peers_.Find(now_, Peer(1)), std::nullopt);
  EXPECT_EQ(peers_.size(), 0u);
}

TEST_F(AbsentPeersTest, EntriesThatHaveEndedTakeNoRoom) {
  for (uint32_t i = 0; i < 100; ++i) peers_.Remember(now_, Peer(i), Absence::kSilent);
  peers_.Remember(now_ + kRemembered, Peer(200), Absence::kSilent);
  EXPECT_EQ(peers_.size(), 1u);
}

TEST_F(AbsentPeersTest, AtTheBoundTheOldestGoes) {
  for (uint32_t i = 0; i < AbsentPeers::kMaxPeers; ++i) {
    peers_.Remember(now_, Peer(i), Absence::kSilent);
  }
  peers_.Remember(now_, Peer(0), Absence::kSilent);  // now the youngest
  peers_.Remember(now_, Peer(AbsentPeers::kMaxPeers), Absence::kSilent);
  EXPECT_EQ(peers_.size(), AbsentPeers::kMaxPeers);
  EXPECT_EQ(peers_.Find(now_, Peer(1)), std::nullopt);
  EXPECT_TRUE(peers_.Find(now_, Peer(0)));
  EXPECT_TRUE(peers_.Find(now_, Peer(AbsentPeers::kMaxPeers)));
}

}  // namespace
}  // namespace netchannel
