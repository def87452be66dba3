// SPDX-License-Identifier: Apache-2.0
#include "wire/packet.h"

#include <gtest/gtest.h>

#include <vector>

#include "test_bytes.h"

namespace netchannel::wire {
namespace {

TEST(PacketHeader, HasTheLayoutOfTheSpecification) {
  std::vector<std::byte> bytes(kHeaderSize);
  PacketHeader{.type = PacketType::kData, .token = 0x1122334455667788, .number = 0x99}.Build(
      absl::MakeSpan(bytes));
  EXPECT_EQ(bytes, Hex("01 05 0000 | 1122334455667788 | 0000000000000099"));
}

TEST(PacketHeader, BuildsWhatItParses) {
  for (uint8_t type = 1; type <= 6; ++type) {
    const PacketHeader in{
        .type = static_cast<PacketType>(type), .token = UINT64_MAX, .number = 1u << 31};
    std::vector<std::byte> bytes(kHeaderSize);
    in.Build(absl::MakeSpan(bytes));
    PacketHeader out;
    ASSERT_EQ(PacketHeader::Parse(bytes, &out), PacketError::kNone);
    EXPECT_EQ(in, out);
  }
}

TEST(PacketHeader, OfDataAsksForAnAcknowledgement) {
  std::vector<std::byte> bytes(kHeaderSize);
  PacketHeader{.type = PacketType::kData, .token = 1, .number = 2, .ack_now = true}.Build(
      absl::MakeSpan(bytes));
  EXPECT_EQ(bytes, Hex("01 05 0001 | 0000000000000001 | 0000000000000002"));
  PacketHeader out;
  ASSERT_EQ(PacketHeader::Parse(bytes, &out), PacketError::kNone);
  EXPECT_TRUE(out.ack_now);
  bytes[1] = std::byte{static_cast<uint8_t>(PacketType::kStale)};
  ASSERT_EQ(PacketHeader::Parse(bytes, &out), PacketError::kNone);
  EXPECT_FALSE(out.ack_now);
}

TEST(PacketHeader, RefusesOtherVersions) {
  auto bytes = Hex("02 05 0000 | 1122334455667788 | 0000000000000099");
  PacketHeader out;
  EXPECT_EQ(PacketHeader::Parse(bytes, &out), PacketError::kBadVersion);
  bytes[0] = std::byte{0};
  EXPECT_EQ(PacketHeader::Parse(bytes, &out), PacketError::kBadVersion);
}

TEST(PacketHeader, RefusesUnknownTypes) {
  PacketHeader out;
  for (const int type : {0, 7, 255}) {
    auto bytes = Hex("01 00 0000 | 1122334455667788 | 0000000000000099");
    bytes[1] = static_cast<std::byte>(type);
    EXPECT_EQ(PacketHeader::Parse(bytes, &out), PacketError::kBadType) << type;
  }
}

TEST(PacketHeader, IgnoresFlags) {
  const auto bytes = Hex("01 05 ffff | 1122334455667788 | 0000000000000099");
  PacketHeader out;
  EXPECT_EQ(PacketHeader::Parse(bytes, &out), PacketError::kNone);
}

TEST(PacketHeader, RefusesTooFewBytes) {
  const auto bytes = Hex("01 05 0000 | 1122334455667788 | 00000000000000");
  PacketHeader out;
  EXPECT_EQ(PacketHeader::Parse(bytes, &out), PacketError::kTruncated);
}

TEST(Stale, EchoesTheToken) {
  std::vector<std::byte> bytes(kHeaderSize);
  ASSERT_EQ(BuildStale(77, absl::MakeSpan(bytes)), kHeaderSize);
  PacketHeader out;
  ASSERT_EQ(PacketHeader::Parse(bytes, &out), PacketError::kNone);
  EXPECT_EQ(out, (PacketHeader{.type = PacketType::kStale, .token = 77, .number = 0}));
}

}  // namespace
}  // namespace netchannel::wire
