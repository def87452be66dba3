// SPDX-License-Identifier: Apache-2.0
#include "wire/address.h"

#include <gtest/gtest.h>

namespace netchannel::wire {
namespace {

TEST(IpAddress, ParsesAndPrintsIpv4) {
  const auto address = IpAddress::Parse("10.1.2.3");
  ASSERT_TRUE(address.ok());
  EXPECT_TRUE(address->is_v4());
  EXPECT_EQ(address->v4(), 0x0a010203u);
  EXPECT_EQ(address->ToString(), "10.1.2.3");
}

TEST(IpAddress, ParsesAndPrintsIpv6) {
  const auto address = IpAddress::Parse("fd00::1:0:2");
  ASSERT_TRUE(address.ok());
  EXPECT_FALSE(address->is_v4());
  EXPECT_EQ(address->ToString(), "fd00::1:0:2");
}

TEST(IpAddress, MappedFormIsTheSameAddress) {
  EXPECT_EQ(*IpAddress::Parse("::ffff:10.0.0.1"), IpAddress::V4(0x0a000001));
}

TEST(IpAddress, RefusesWhatIsNoAddressAndSaysWhatIsExpected) {
  for (const char* text : {"", "10.0.0", "10.0.0.1/24", "10.0.0.1:80", "host", "fd00::/64"}) {
    const auto address = IpAddress::Parse(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_NE(address.status().message().find("fd00::1"), std::string::npos);
  }
}

TEST(IpAddress, LoopbackIsToldApart) {
  for (const char* text : {"127.0.0.1", "127.255.0.9", "::1"}) {
    EXPECT_TRUE(IpAddress::Parse(text)->is_loopback()) << text;
  }
  for (const char* text : {"126.0.0.1", "128.0.0.1", "::", "::2", "1::1"}) {
    EXPECT_FALSE(IpAddress::Parse(text)->is_loopback()) << text;
  }
}

TEST(IpAddress, BothUnspecifiedAddressesAreRecognised) {
  EXPECT_TRUE(IpAddress::Parse("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(IpAddress::Parse("::")->is_unspecified());
  EXPECT_FALSE(IpAddress::Parse("::1")->is_unspecified());
}

TEST(LocalAddresses, WithoutAddressesNothingIsReached) {
  const LocalAddresses none;
  EXPECT_FALSE(none.Has(IpAddress::V4(0x0a000001)));
  EXPECT_FALSE(none.Has(IpAddress{}));
  EXPECT_EQ(none.For(IpAddress::V4(0x0a000002)), std::nullopt);
}

TEST(LocalAddresses, OneAddressServesItsFamilyOnly) {
  const IpAddress own = *IpAddress::Parse("fd00::1");
  const LocalAddresses addresses = own;
  EXPECT_TRUE(addresses.Has(own));
  EXPECT_FALSE(addresses.Has(*IpAddress::Parse("fd00::2")));
  EXPECT_EQ(addresses.For(*IpAddress::Parse("fd00::9")), own);
  EXPECT_EQ(addresses.For(IpAddress::V4(0x0a000002)), std::nullopt);
}

TEST(LocalAddresses, EachPeerIsReachedFromItsFamilysAddress) {
  const IpAddress v4 = IpAddress::V4(0x0a000001), v6 = *IpAddress::Parse("fd00::1");
  const LocalAddresses addresses = {v6, v4};
  EXPECT_TRUE(addresses.Has(v4));
  EXPECT_TRUE(addresses.Has(v6));
  EXPECT_EQ(addresses.For(IpAddress::V4(0x0a000002)), v4);
  EXPECT_EQ(addresses.For(*IpAddress::Parse("fd00::2")), v6);
}

TEST(LocalAddresses, ASecondOfAFamilyTakesTheFirstsPlace) {
  LocalAddresses addresses = IpAddress::V4(0x0a000001);
  addresses.Set(IpAddress::V4(0x0a000002));
  EXPECT_FALSE(addresses.Has(IpAddress::V4(0x0a000001)));
  EXPECT_TRUE(addresses.Has(IpAddress::V4(0x0a000002)));
}

TEST(IpEndpoint, PrintsIpv6InBrackets) {
  EXPECT_EQ((IpEndpoint{*IpAddress::Parse("10.0.0.1"), 80}.ToString()), "10.0.0.1:80");
  EXPECT_EQ((IpEndpoint{*IpAddress::Parse("fd00::1"), 80}.ToString()), "[fd00::1]:80");
}

}  // namespace
}  // namespace netchannel::wire
