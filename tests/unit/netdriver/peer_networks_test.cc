// SPDX-License-Identifier: Apache-2.0
#include "netdriver/peer_networks.h"

#include <gtest/gtest.h>

#include <string>

namespace netchannel {
namespace {

wire::IpAddress Address(std::string_view text) { return *wire::IpAddress::Parse(text); }

TEST(IpPrefixTest, ContainsWhatSharesItsBits) {
  const IpPrefix prefix = *IpPrefix::Parse("10.20.32.0/19");
  EXPECT_TRUE(prefix.Contains(Address("10.20.32.0")));
  EXPECT_TRUE(prefix.Contains(Address("10.20.63.255")));
  EXPECT_FALSE(prefix.Contains(Address("10.20.64.0")));
  EXPECT_FALSE(prefix.Contains(Address("10.20.31.255")));
}

TEST(IpPrefixTest, HoldsInIpv6) {
  const IpPrefix prefix = *IpPrefix::Parse("fd00:1:2::/47");
  EXPECT_TRUE(prefix.Contains(Address("fd00:1:3::9")));
  EXPECT_FALSE(prefix.Contains(Address("fd00:1:4::9")));
}

TEST(IpPrefixTest, AFamilyIsNotInTheOther) {
  EXPECT_FALSE(IpPrefix::Parse("::/0")->Contains(Address("10.0.0.1")));
  EXPECT_FALSE(IpPrefix::Parse("0.0.0.0/0")->Contains(Address("fd00::1")));
  EXPECT_TRUE(IpPrefix::Parse("0.0.0.0/0")->Contains(Address("10.0.0.1")));
  EXPECT_TRUE(IpPrefix::Parse("::/0")->Contains(Address("fd00::1")));
}

TEST(IpPrefixTest, AnAddressAloneIsItself) {
  const IpPrefix prefix = *IpPrefix::Parse("10.0.0.7");
  EXPECT_TRUE(prefix.Contains(Address("10.0.0.7")));
  EXPECT_FALSE(prefix.Contains(Address("10.0.0.6")));
}

TEST(IpPrefixTest, NonsenseIsRefusedWithTheReason) {
  for (const std::string text : {"", "10.0.0/8", "10.0.0.0/33", "fd00::/129", "10.0.0.0/-1",
                                 "10.0.0.0/x", "10.0.0.0/", "host/8"}) {
    const auto prefix = IpPrefix::Parse(text);
    ASSERT_FALSE(prefix.ok()) << text;
    EXPECT_NE(prefix.status().message().find("\"" + text + "\""), absl::string_view::npos);
  }
  const auto host_bits = IpPrefix::Parse("10.1.2.3/8");
  ASSERT_FALSE(host_bits.ok());
  EXPECT_NE(host_bits.status().message().find("write 10.0.0.0/8"), absl::string_view::npos)
      << host_bits.status();
}

TEST(PeerNetworksTest, NoneMeansAll) {
  EXPECT_TRUE(PeerNetworks().Contain(Address("10.0.0.1")));
  EXPECT_TRUE(PeerNetworks().Contain(Address("fd00::1")));
}

TEST(PeerNetworksTest, AnyOfThemDoes) {
  PeerNetworks networks;
  networks.Add(*IpPrefix::Parse("10.1.0.0/16"));
  networks.Add(*IpPrefix::Parse("fd00::/8"));
  EXPECT_TRUE(networks.Contain(Address("10.1.255.1")));
  EXPECT_TRUE(networks.Contain(Address("fd12::1")));
  EXPECT_FALSE(networks.Contain(Address("10.2.0.1")));
  EXPECT_FALSE(networks.Contain(Address("fe80::1")));
}

}  // namespace
}  // namespace netchannel
