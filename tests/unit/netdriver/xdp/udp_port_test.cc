// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/udp_port.h"

#include <gtest/gtest.h>

#include "packet_builder.h"

namespace netchannel::xdp {
namespace {

std::optional<uint16_t> PortOf(const test::Bytes& frame) {
  return UdpDestinationPort(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(frame.data()), frame.size()));
}
std::optional<uint16_t> PortOf(const test::FrameSpec& spec) {
  return PortOf(test::BuildFrame(spec));
}

TEST(UdpPortTest, IsFoundBehindIpv4) {
  test::FrameSpec spec;
  spec.destination_port = 9007;
  EXPECT_EQ(PortOf(spec), 9007);
}

TEST(UdpPortTest, IsFoundBehindIpv4Options) {
  test::FrameSpec spec;
  spec.ipv4_option_words = 10;
  EXPECT_EQ(PortOf(spec), 9000);
}

TEST(UdpPortTest, IsFoundBehindIpv6) {
  test::FrameSpec spec;
  spec.ipv6 = true;
  EXPECT_EQ(PortOf(spec), 9000);
}

TEST(UdpPortTest, IsNotLookedForBehindTags) {
  test::FrameSpec spec;
  spec.vlan_tags = 1;
  EXPECT_EQ(PortOf(spec), std::nullopt);
}

TEST(UdpPortTest, IsNotReadBeyondTheFrame) {
  test::FrameSpec spec;
  spec.ipv4_option_words = 10;
  const test::Bytes frame = test::BuildFrame(spec);
  for (size_t length = 0; length < 14 + 60 + 8; ++length) {
    EXPECT_EQ(PortOf(test::CutTo(frame, length)), std::nullopt) << length;
  }
}

}  // namespace
}  // namespace netchannel::xdp
