// SPDX-License-Identifier: Apache-2.0
// What one IP version or the link layer alone has: options, extension headers, too many tags.
#include "steer_fixture.h"

namespace netchannel::test {
namespace {

constexpr uint8_t kHopByHop = 0;
constexpr uint8_t kRouting = 43;
constexpr uint8_t kAuthentication = 51;
constexpr uint8_t kNoNextHeader = 59;
constexpr uint8_t kDestinationOptions = 60;

TEST_F(SteerTest, Ipv4OptionsOfEveryLengthAreSkipped) {
  for (int words = 1; words <= 10; ++words) {
    FrameSpec spec;
    spec.ipv4_option_words = words;
    EXPECT_EQ(Run(spec), kSteered) << words << " words of options";
  }
}

TEST_F(SteerTest, Ipv4OptionsThatAreCutOffPass) {
  FrameSpec spec;
  spec.ipv4_option_words = 10;
  Bytes frame = BuildFrame(spec);
  frame.resize(14 + 20 + 39);
  EXPECT_EQ(Run(frame), Pass(NC_PASS_TRUNCATED));
}

TEST_F(SteerTest, Ipv4HeaderLengthBelowTheLeastPasses) {
  FrameSpec spec;
  spec.ipv4_ihl = 4;
  EXPECT_EQ(Run(spec), Pass(NC_PASS_NOT_IP));
}

TEST_F(SteerTest, Ipv4LengthThatEndsWithinTheHeaderIsDropped) {
  FrameSpec spec;
  spec.ip_length = 19;
  EXPECT_EQ(Run(spec), Drop(NC_DROP_BAD_LENGTH));
}

TEST_F(SteerTest, Ipv6ExtensionHeadersAreSkipped) {
  FrameSpec spec;
  spec.ipv6 = true;
  spec.ipv6_extensions = {kHopByHop, kDestinationOptions, kRouting, kAuthentication};
  EXPECT_EQ(Run(spec), kSteered);
}

TEST_F(SteerTest, SixIpv6ExtensionHeadersAreTheLimit) {
  FrameSpec spec;
  spec.ipv6 = true;
  spec.ipv6_extensions.assign(6, kDestinationOptions);
  EXPECT_EQ(Run(spec), kSteered);
  spec.ipv6_extensions.assign(7, kDestinationOptions);
  EXPECT_EQ(Run(spec), Pass(NC_PASS_NOT_UDP));
}

TEST_F(SteerTest, Ipv6ExtensionHeadersThatAreCutOffPass) {
  FrameSpec spec;
  spec.ipv6 = true;
  spec.ipv6_extensions = {kHopByHop, kAuthentication};
  const Bytes frame = BuildFrame(spec);
  for (size_t length = 14 + 40; length < BytesUpToPorts(spec); ++length) {
    EXPECT_EQ(Run(CutTo(frame, length)), Pass(NC_PASS_TRUNCATED)) << "cut to " << length;
  }
}

TEST_F(SteerTest, Ipv6PayloadLengthThatEndsWithinTheExtensionsIsDropped) {
  FrameSpec spec;
  spec.ipv6 = true;
  spec.ipv6_extensions = {kDestinationOptions, kDestinationOptions};
  spec.ip_length = 8;
  EXPECT_EQ(Run(spec), Drop(NC_DROP_BAD_LENGTH));
}

TEST_F(SteerTest, Ipv6FragmentHeaderBehindOthersIsFound) {
  FrameSpec spec;
  spec.ipv6 = true;
  spec.ipv6_extensions = {kHopByHop};
  spec.fragment = Fragment{.offset = 0, .more = true};
  EXPECT_EQ(Run(spec), Drop(NC_DROP_FRAGMENT));
  spec.fragment = Fragment{.offset = 8, .more = true};
  EXPECT_EQ(Run(spec), Pass(NC_PASS_FRAGMENT));
}

TEST_F(SteerTest, Ipv6WithoutNextHeaderPasses) {
  FrameSpec spec;
  spec.ipv6 = true;
  spec.protocol = kNoNextHeader;
  EXPECT_EQ(Run(spec), Pass(NC_PASS_NOT_UDP));
}

TEST_F(SteerTest, ThreeVlanTagsPass) {
  FrameSpec spec;
  spec.vlan_tags = 3;
  EXPECT_EQ(Run(spec), Pass(NC_PASS_NOT_IP));
}

TEST_F(SteerTest, Ipv4MappedAddressOnTheWireIsNotTheIpv4Address) {
  FrameSpec spec;
  spec.ipv6 = true;
  spec.destination = "::ffff:10.0.0.1";
  EXPECT_EQ(Run(spec), Pass(NC_PASS_OTHER_ADDRESS));
}

TEST_F(SteerTest, PacketOfEverySizeIsSteered) {
  for (size_t payload = 0; payload <= 1472; ++payload) {
    FrameSpec spec;
    spec.payload = payload;
    ASSERT_EQ(Run(spec), kSteered) << payload << " bytes of payload";
  }
}

}  // namespace
}  // namespace netchannel::test
