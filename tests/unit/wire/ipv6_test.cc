// SPDX-License-Identifier: Apache-2.0
#include "wire/ipv6.h"

#include <gtest/gtest.h>

#include <vector>

namespace netchannel::wire {
namespace {

class Ipv6Test : public ::testing::Test {
 protected:
  // A header and 8 bytes of payload.
  Ipv6Test() : bytes_(48) {
    Ipv6Header{.source = IpAddress::Parse("fd00::1")->bytes,
               .destination = IpAddress::Parse("fd00::2")->bytes,
               .payload_length = 8,
               .ecn = 3,
               .flow_label = 0xabcde}
        .Build(absl::MakeSpan(bytes_));
  }
  IpError Parse() { return Ipv6View::Parse(bytes_, bytes_.size(), &view_); }
  // Puts an extension header of `size` bytes behind those that are there.
  void AddExtension(uint8_t type, size_t size) {
    std::vector<std::byte> header(size);
    header[0] = bytes_[last_type_];
    header[1] = static_cast<std::byte>(size / 8 - 1);
    bytes_[last_type_] = std::byte{type};
    bytes_.insert(bytes_.begin() + static_cast<ptrdiff_t>(headers_), header.begin(), header.end());
    last_type_ = headers_;
    headers_ += size;
    StoreBe16(bytes_.data() + 4, static_cast<uint16_t>(bytes_.size() - kIpv6HeaderSize));
  }

  std::vector<std::byte> bytes_;
  size_t last_type_ = 6;  // where the type of what follows the headers is
  size_t headers_ = kIpv6HeaderSize;
  Ipv6View view_;
};

TEST_F(Ipv6Test, BuildsWhatItParses) {
  ASSERT_EQ(Parse(), IpError::kNone);
  EXPECT_EQ(view_.source().ToString(), "fd00::1");
  EXPECT_EQ(view_.destination().ToString(), "fd00::2");
  EXPECT_EQ(view_.ecn(), 3);
  EXPECT_EQ(view_.flow_label(), 0xabcdeu);
  EXPECT_EQ(view_.hop_limit(), kDefaultTtl);
  EXPECT_EQ(view_.protocol(), kIpProtocolUdp);
  EXPECT_EQ(view_.header_size(), 40u);
  EXPECT_EQ(view_.payload_length(), 8u);
}

TEST_F(Ipv6Test, SkipsExtensionHeaders) {
  AddExtension(0, 8);
  AddExtension(60, 24);
  AddExtension(43, 16);
  ASSERT_EQ(Parse(), IpError::kNone);
  EXPECT_EQ(view_.protocol(), kIpProtocolUdp);
  EXPECT_EQ(view_.header_size(), 40u + 48u);
  EXPECT_EQ(view_.payload_length(), 8u);
}

TEST_F(Ipv6Test, RefusesMoreExtensionHeadersThanTheBound) {
  for (int i = 0; i < kMaxIpv6ExtensionHeaders; ++i) AddExtension(60, 8);
  EXPECT_EQ(Parse(), IpError::kNone);
  AddExtension(60, 8);
  EXPECT_EQ(Parse(), IpError::kBadHeader);
}

TEST_F(Ipv6Test, RefusesAHopByHopHeaderThatIsNotTheFirst) {
  AddExtension(60, 8);
  AddExtension(0, 8);
  EXPECT_EQ(Parse(), IpError::kBadHeader);
}

TEST_F(Ipv6Test, RefusesFragments) {
  AddExtension(44, 8);
  EXPECT_EQ(Parse(), IpError::kFragment);
}

TEST_F(Ipv6Test, RefusesAnExtensionHeaderBeyondTheBytes) {
  AddExtension(60, 8);
  bytes_[41] = std::byte{200};
  EXPECT_EQ(Parse(), IpError::kTruncated);
}

TEST_F(Ipv6Test, RefusesAnExtensionHeaderBeyondThePayload) {
  AddExtension(60, 8);
  StoreBe16(bytes_.data() + 4, 7);
  EXPECT_EQ(Parse(), IpError::kBadHeader);
}

TEST_F(Ipv6Test, RefusesIpv4MappedAddresses) {
  const IpAddress mapped = IpAddress::V4(0x0a000001);
  std::memcpy(bytes_.data() + 8, mapped.bytes.data(), 16);
  EXPECT_EQ(Parse(), IpError::kBadHeader);
}

TEST_F(Ipv6Test, RefusesAPayloadLengthBeyondTheBytes) {
  StoreBe16(bytes_.data() + 4, 9);
  EXPECT_EQ(Parse(), IpError::kTruncated);
}

TEST_F(Ipv6Test, RefusesAnotherVersion) {
  bytes_[0] = std::byte{0x40};
  EXPECT_EQ(Parse(), IpError::kBadHeader);
}

TEST_F(Ipv6Test, RefusesTooFewBytes) {
  for (size_t n = 0; n < 40; ++n) {
    EXPECT_EQ(Ipv6View::Parse(Bytes(bytes_).first(n), n, &view_), IpError::kTruncated);
  }
}

}  // namespace
}  // namespace netchannel::wire
