// SPDX-License-Identifier: Apache-2.0
#include "wire/datagram.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "wire/ipv4.h"

namespace netchannel::wire {
namespace {

// Every combination of address family and number of VLAN tags.
class DatagramTest : public ::testing::TestWithParam<std::tuple<bool, size_t>> {
 protected:
  DatagramTest() {
    const auto [v4, tags] = GetParam();
    is_v4_ = v4;
    source_ = {*IpAddress::Parse(v4 ? "10.0.0.1" : "fd00::1"), 40000};
    destination_ = {*IpAddress::Parse(v4 ? "10.0.0.2" : "fd00::2"), 40001};
    const EthernetHeader link{.destination = {2, 0, 0, 0, 0, 1},
                              .source = {2, 0, 0, 0, 0, 2},
                              .tag_count = tags,
                              .tags = {VlanTag{kEtherTypeVlan, 5}, VlanTag{kEtherTypeVlan, 6}},
                              .ether_type = v4 ? kEtherTypeIpv4 : kEtherTypeIpv6};
    link_.resize(link.size());
    link.Build(absl::MakeSpan(link_));
  }

  void Build(size_t payload_length, uint8_t ecn = 2) {
    const DatagramHeader header(link_, source_, destination_);
    frame_.assign(header.size() + payload_length, std::byte{0});
    for (size_t i = 0; i < payload_length; ++i) {
      frame_[header.size() + i] = static_cast<std::byte>(i * 7 + 1);
    }
    Checksum payload;
    payload.Add(Bytes(frame_).subspan(header.size()));
    EXPECT_EQ(header.Write(absl::MakeSpan(frame_), payload_length, payload, ecn), header.size());
  }

  DatagramError Parse() { return ParseDatagram(frame_, frame_.size(), &datagram_); }
  bool ChecksumHolds() {
    const Bytes chunks[] = {frame_};
    return HasValidChecksum(datagram_, chunks);
  }
  size_t udp_offset() const { return datagram_.payload_offset - kUdpHeaderSize; }

  bool is_v4_ = false;
  IpEndpoint source_, destination_;
  std::vector<std::byte> link_;
  std::vector<std::byte> frame_;
  Datagram datagram_;
};

TEST_P(DatagramTest, BuildsWhatItParses) {
  for (const size_t length : {size_t{0}, size_t{1}, size_t{20}, size_t{1433}, size_t{9000}}) {
    Build(length, 1);
    ASSERT_EQ(Parse(), DatagramError::kNone);
    EXPECT_EQ(datagram_.source, source_);
    EXPECT_EQ(datagram_.destination, destination_);
    EXPECT_EQ(datagram_.ecn, 1);
    EXPECT_EQ(datagram_.payload_length, length);
    EXPECT_EQ(datagram_.payload_end(), frame_.size());
    EXPECT_TRUE(ChecksumHolds());
  }
}

TEST_P(DatagramTest, AHeaderIsWrittenManyTimes) {
  const DatagramHeader header(link_, source_, destination_);
  std::vector<std::byte> first(header.size()), again(header.size());
  header.Write(absl::MakeSpan(first), 0, Checksum(), 3);
  header.Write(absl::MakeSpan(again), 0, Checksum(), 0);
  header.Write(absl::MakeSpan(again), 0, Checksum(), 3);
  EXPECT_EQ(first, again);
}

TEST_P(DatagramTest, DetectsEveryFlippedBitOfThePayloadAndUdpHeader) {
  Build(40);
  ASSERT_EQ(Parse(), DatagramError::kNone);
  for (size_t bit = udp_offset() * 8; bit < frame_.size() * 8; ++bit) {
    frame_[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_TRUE(Parse() != DatagramError::kNone || !ChecksumHolds()) << bit;
    frame_[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

TEST_P(DatagramTest, DetectsAWrongAddress) {
  Build(40);
  frame_[link_.size() + (is_v4_ ? 15 : 23)] ^= std::byte{1};
  EXPECT_TRUE(Parse() != DatagramError::kNone || !ChecksumHolds());
}

TEST_P(DatagramTest, NeverSendsAZeroChecksum) {
  // A payload word that makes the sum of everything else zero.
  Build(2);
  ASSERT_EQ(Parse(), DatagramError::kNone);
  StoreBe16(frame_.data() + datagram_.payload_offset, 0);
  const DatagramHeader header(link_, source_, destination_);
  Checksum payload;
  payload.AddWord(0);
  header.Write(absl::MakeSpan(frame_), 2, payload, 0);
  const uint16_t complement = LoadBe16(frame_.data() + header.size() - 2);
  Checksum tuned;
  tuned.AddWord(complement);
  header.Write(absl::MakeSpan(frame_), 2, tuned, 0);
  StoreBe16(frame_.data() + header.size(), complement);
  EXPECT_EQ(LoadBe16(frame_.data() + header.size() - 2), 0xffff);
  ASSERT_EQ(Parse(), DatagramError::kNone);
  EXPECT_TRUE(ChecksumHolds());
}

TEST_P(DatagramTest, RefusesAMissingChecksum) {
  Build(40);
  ASSERT_EQ(Parse(), DatagramError::kNone);
  StoreBe16(frame_.data() + udp_offset() + 6, 0);
  EXPECT_EQ(Parse(), DatagramError::kBadChecksum);
}

TEST_P(DatagramTest, RefusesAUdpLengthThatDisagrees) {
  Build(40);
  ASSERT_EQ(Parse(), DatagramError::kNone);
  StoreBe16(frame_.data() + udp_offset() + 4, 47);
  EXPECT_EQ(Parse(), DatagramError::kBadUdpLength);
}

TEST_P(DatagramTest, RefusesAnyTruncation) {
  Build(40);
  for (size_t n = 0; n < frame_.size(); ++n) {
    EXPECT_NE(ParseDatagram(Bytes(frame_).first(n), n, &datagram_), DatagramError::kNone) << n;
  }
}

TEST_P(DatagramTest, IgnoresLinkPadding) {
  Build(1);
  frame_.resize(frame_.size() + 17, std::byte{0xee});
  ASSERT_EQ(Parse(), DatagramError::kNone);
  EXPECT_EQ(datagram_.payload_length, 1u);
  EXPECT_TRUE(ChecksumHolds());
}

TEST_P(DatagramTest, ChecksumIsReadAcrossChunks) {
  Build(333);
  const size_t cut1 = 150, cut2 = 301;
  const Bytes whole = frame_;
  const Bytes chunks[] = {whole.first(cut1), whole.subspan(cut1, cut2 - cut1), whole.subspan(cut2)};
  ASSERT_EQ(ParseDatagram(chunks[0], whole.size(), &datagram_), DatagramError::kNone);
  EXPECT_TRUE(HasValidChecksum(datagram_, chunks));
  frame_[310] ^= std::byte{4};
  EXPECT_FALSE(HasValidChecksum(datagram_, chunks));
}

TEST_P(DatagramTest, MissingChunksAreNoValidChecksum) {
  Build(333);
  const Bytes chunks[] = {Bytes(frame_).first(200)};
  ASSERT_EQ(ParseDatagram(chunks[0], frame_.size(), &datagram_), DatagramError::kNone);
  EXPECT_FALSE(HasValidChecksum(datagram_, chunks));
}

TEST_P(DatagramTest, RefusesOtherProtocols) {
  Build(40);
  frame_[link_.size() - 1] = std::byte{0x06};  // EtherType 0x0806 or 0x8606
  EXPECT_EQ(Parse(), DatagramError::kNotIp);
}

TEST_P(DatagramTest, RefusesAFamilyThatContradictsTheEtherType) {
  Build(40);
  StoreBe16(frame_.data() + link_.size() - 2, is_v4_ ? kEtherTypeIpv6 : kEtherTypeIpv4);
  EXPECT_NE(Parse(), DatagramError::kNone);
}

TEST_P(DatagramTest, MaxPayloadFillsTheMtu) {
  const DatagramHeader header(link_, source_, destination_);
  EXPECT_EQ(header.MaxPayload(1500), is_v4_ ? 1472u : 1452u);
  EXPECT_EQ(header.MaxPayload(20), 0u);
}

INSTANTIATE_TEST_SUITE_P(Links, DatagramTest,
                         ::testing::Combine(::testing::Bool(), ::testing::Values(0, 1, 2)),
                         [](const auto& param_info) {
                           return std::string(std::get<0>(param_info.param) ? "Ipv4" : "Ipv6") +
                                  "Tags" + std::to_string(std::get<1>(param_info.param));
                         });

TEST(Datagram, RefusesTcp) {
  std::vector<std::byte> frame(14 + 20 + 20);
  EthernetHeader{}.Build(absl::MakeSpan(frame));
  Ipv4Header{.source = 1, .destination = 2, .total_length = 40, .protocol = 6}.Build(
      absl::MakeSpan(frame).subspan(14));
  Datagram datagram;
  EXPECT_EQ(ParseDatagram(frame, frame.size(), &datagram), DatagramError::kNotIp);
}

TEST(Datagram, RefusesFragments) {
  std::vector<std::byte> frame(14 + 20 + 20);
  EthernetHeader{}.Build(absl::MakeSpan(frame));
  const MutableBytes ip = absl::MakeSpan(frame).subspan(14);
  Ipv4Header{.source = 1, .destination = 2, .total_length = 40}.Build(ip);
  StoreBe16(ip.data() + 6, 0x2000);
  StoreBe16(ip.data() + 10, 0);
  Checksum sum;
  sum.Add(ip.first(20));
  StoreBe16(ip.data() + 10, sum.Finish());
  Datagram datagram;
  EXPECT_EQ(ParseDatagram(frame, frame.size(), &datagram), DatagramError::kFragment);
}

}  // namespace
}  // namespace netchannel::wire
