// SPDX-License-Identifier: Apache-2.0
#include "wire/ethernet.h"

#include <gtest/gtest.h>

#include "test_bytes.h"

namespace netchannel::wire {
namespace {

constexpr MacAddress kDestination = {0x02, 0, 0, 0, 0, 0x01};
constexpr MacAddress kSource = {0x02, 0, 0, 0, 0, 0x02};

TEST(Ethernet, ParsesAnUntaggedHeader) {
  const auto bytes = Hex("020000000001 020000000002 0800");
  const auto view = EthernetView::Parse(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->destination(), kDestination);
  EXPECT_EQ(view->source(), kSource);
  EXPECT_EQ(view->tag_count(), 0u);
  EXPECT_EQ(view->ether_type(), kEtherTypeIpv4);
  EXPECT_EQ(view->header_size(), 14u);
}

TEST(Ethernet, ParsesOneAndTwoTags) {
  const auto one = Hex("020000000001 020000000002 8100 2005 86dd");
  const auto view1 = EthernetView::Parse(one);
  ASSERT_TRUE(view1);
  EXPECT_EQ(view1->ether_type(), kEtherTypeIpv6);
  EXPECT_EQ(view1->tag(0).id(), 5);
  EXPECT_EQ(view1->header_size(), 18u);

  const auto two = Hex("020000000001 020000000002 88a8 0007 8100 0009 0800");
  const auto view2 = EthernetView::Parse(two);
  ASSERT_TRUE(view2);
  EXPECT_EQ(view2->tag(0).protocol, kEtherTypeServiceVlan);
  EXPECT_EQ(view2->tag(1).id(), 9);
  EXPECT_EQ(view2->ether_type(), kEtherTypeIpv4);
  EXPECT_EQ(view2->header_size(), 22u);
}

TEST(Ethernet, AThirdTagIsAnEtherTypeThatNoOneKnows) {
  const auto bytes = Hex("020000000001 020000000002 8100 0001 8100 0002 8100 0003 0800");
  const auto view = EthernetView::Parse(bytes);
  ASSERT_TRUE(view);
  EXPECT_TRUE(IsVlanEtherType(view->ether_type()));
}

TEST(Ethernet, RefusesATruncatedHeaderOrTag) {
  const auto bytes = Hex("020000000001 020000000002 88a8 0007 8100 0009 0800");
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_FALSE(EthernetView::Parse(Bytes(bytes).first(n))) << n;
  }
}

TEST(Ethernet, BuildsWhatItParses) {
  for (size_t tags = 0; tags <= kMaxVlanTags; ++tags) {
    const EthernetHeader header{
        .destination = kDestination,
        .source = kSource,
        .tag_count = tags,
        .tags = {VlanTag{kEtherTypeServiceVlan, 7}, VlanTag{kEtherTypeVlan, 9}},
        .ether_type = kEtherTypeIpv6};
    std::vector<std::byte> bytes(header.size());
    header.Build(absl::MakeSpan(bytes));
    const auto view = EthernetView::Parse(bytes);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->source(), kSource);
    ASSERT_EQ(view->tag_count(), tags);
    for (size_t i = 0; i < tags; ++i) EXPECT_EQ(view->tag(i), header.tags[i]);
    EXPECT_EQ(view->ether_type(), kEtherTypeIpv6);
  }
}

}  // namespace
}  // namespace netchannel::wire
