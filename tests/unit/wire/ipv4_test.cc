// SPDX-License-Identifier: Apache-2.0
#include "wire/ipv4.h"

#include <gtest/gtest.h>

#include <vector>

#include "test_bytes.h"

namespace netchannel::wire {
namespace {

class Ipv4Test : public ::testing::Test {
 protected:
  // A header and 8 bytes of payload.
  Ipv4Test() : bytes_(28) {
    Ipv4Header{.source = 0x0a000001, .destination = 0x0a000002, .total_length = 28, .ecn = 2}.Build(
        absl::MakeSpan(bytes_));
  }
  IpError Parse() { return Ipv4View::Parse(bytes_, bytes_.size(), &view_); }
  void SetWord(size_t at, uint16_t value) { StoreBe16(bytes_.data() + at, value); }
  void FixChecksum() {
    SetWord(10, 0);
    Checksum sum;
    sum.Add(Bytes(bytes_).first(size_t{Load8(bytes_.data()) & 0x0fu} * 4));
    SetWord(10, sum.Finish());
  }

  std::vector<std::byte> bytes_;
  Ipv4View view_;
};

TEST_F(Ipv4Test, BuildsWhatItParses) {
  ASSERT_EQ(Parse(), IpError::kNone);
  EXPECT_EQ(view_.source(), IpAddress::V4(0x0a000001));
  EXPECT_EQ(view_.destination(), IpAddress::V4(0x0a000002));
  EXPECT_EQ(view_.ecn(), 2);
  EXPECT_EQ(view_.ttl(), kDefaultTtl);
  EXPECT_EQ(view_.protocol(), kIpProtocolUdp);
  EXPECT_EQ(view_.header_size(), 20u);
  EXPECT_EQ(view_.payload_length(), 8u);
}

TEST_F(Ipv4Test, SetsDontFragment) { EXPECT_EQ(LoadBe16(bytes_.data() + 6), 0x4000); }

TEST_F(Ipv4Test, ParsesTheHeaderOfAnotherStack) {
  // The example of en.wikipedia.org/wiki/IPv4_header_checksum.
  const auto bytes = Hex("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7");
  ASSERT_EQ(Ipv4View::Parse(bytes, 0x73, &view_), IpError::kNone);
  EXPECT_EQ(view_.source().ToString(), "192.168.0.1");
  EXPECT_EQ(view_.total_length(), 0x73u);
}

TEST_F(Ipv4Test, SkipsOptions) {
  bytes_.insert(bytes_.begin() + 20, 4, std::byte{1});
  bytes_[0] = std::byte{0x46};
  SetWord(2, 32);
  FixChecksum();
  ASSERT_EQ(Parse(), IpError::kNone);
  EXPECT_EQ(view_.header_size(), 24u);
  EXPECT_EQ(view_.payload_length(), 8u);
}

TEST_F(Ipv4Test, IgnoresLinkPadding) {
  bytes_.resize(46);
  ASSERT_EQ(Parse(), IpError::kNone);
  EXPECT_EQ(view_.payload_length(), 8u);
}

TEST_F(Ipv4Test, RefusesEveryFlippedBitOfTheHeader) {
  for (size_t bit = 0; bit < 160; ++bit) {
    bytes_[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_NE(Parse(), IpError::kNone) << bit;
    bytes_[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

TEST_F(Ipv4Test, RefusesFragments) {
  for (const uint16_t fragment : {0x2000, 0x0001, 0x2010, 0x6000}) {
    SetWord(6, fragment);
    FixChecksum();
    EXPECT_EQ(Parse(), IpError::kFragment) << fragment;
  }
}

TEST_F(Ipv4Test, RefusesTheReservedFlag) {
  SetWord(6, 0xc000);
  FixChecksum();
  EXPECT_EQ(Parse(), IpError::kBadHeader);
}

TEST_F(Ipv4Test, RefusesATotalLengthBeyondTheBytes) {
  SetWord(2, 29);
  FixChecksum();
  EXPECT_EQ(Parse(), IpError::kTruncated);
}

TEST_F(Ipv4Test, RefusesATotalLengthBelowTheHeader) {
  SetWord(2, 19);
  FixChecksum();
  EXPECT_EQ(Parse(), IpError::kBadHeader);
}

TEST_F(Ipv4Test, RefusesAHeaderLengthBelowTheMinimum) {
  bytes_[0] = std::byte{0x44};
  FixChecksum();
  EXPECT_EQ(Parse(), IpError::kBadHeader);
}

TEST_F(Ipv4Test, RefusesTooFewBytes) {
  for (size_t n = 0; n < 20; ++n) {
    EXPECT_EQ(Ipv4View::Parse(Bytes(bytes_).first(n), n, &view_), IpError::kTruncated);
  }
}

}  // namespace
}  // namespace netchannel::wire
