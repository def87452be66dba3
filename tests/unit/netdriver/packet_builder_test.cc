// SPDX-License-Identifier: Apache-2.0
#include "netdriver/packet_builder.h"

#include <gtest/gtest.h>

#include <vector>

#include "test_network.h"
#include "wire/packet.h"
#include "wire/record_reader.h"

namespace netchannel {
namespace {

constexpr uint64_t kToken = 0x1122334455667788;

class PacketBuilderTest : public testing::Test {
 protected:
  PacketBuilderTest() {
    for (size_t i = 0; i < ring_.size(); ++i) ring_[i] = std::byte(PatternAt(kStream, i));
    stream_ = *streams_.Acquire();
    StreamEntry& entry = *streams_.Find(stream_);
    entry.id = kStream;
    entry.send = RingView{ring_.data(), ring_.size()};
    entry.receive_limit = 777;
    entry.source_port = 1;
    entry.destination_port = 2;
  }

  Segment Data(StreamOffset offset, uint32_t length, bool fin = false) const {
    Segment segment;
    segment.stream = stream_;
    segment.offset = offset;
    segment.length = length;
    segment.fin = fin;
    return segment;
  }

  // Builds, checks the checksum, and reads the records back.
  void Build(transport::PacketPlan plan, const wire::Ack* ack = nullptr) {
    plan.number = 9;
    plan.segments = segments_;
    const size_t size = BuildPacket(plan, ack, kToken, streams_, headers_, absl::MakeSpan(frame_));
    frame_.resize(headers_.size() + size);
    wire::Datagram datagram;
    const wire::Bytes bytes(frame_);
    ASSERT_EQ(wire::ParseDatagram(bytes, bytes.size(), &datagram), wire::DatagramError::kNone);
    ASSERT_TRUE(wire::HasValidChecksum(datagram, {&bytes, 1}));
    ASSERT_EQ(datagram.payload_length, size);
    ecn_ = datagram.ecn;
    ASSERT_EQ(wire::PacketHeader::Parse(bytes.subspan(datagram.payload_offset), &header_),
              wire::PacketError::kNone);
    wire::RecordReader reader({&bytes, 1}, datagram.payload_offset + wire::kHeaderSize,
                              datagram.payload_end());
    wire::Record record;
    wire::ReadResult result;
    while ((result = reader.Next(&record)) == wire::ReadResult::kRecord) records_.push_back(record);
    EXPECT_EQ(result, wire::ReadResult::kEnd);
  }
  static std::string Payload(const wire::Record& record) {
    std::string all;
    for (const wire::Bytes part : record.payload()) {
      all.append(reinterpret_cast<const char*>(part.data()), part.size());
    }
    return all;
  }

  StreamTable streams_{4};
  std::vector<std::byte> ring_ = std::vector<std::byte>(256);
  StreamHandle stream_;
  std::vector<Segment> segments_;
  const LinkHeader link_ = [] {
    LinkHeader link;
    link.bytes[12] = std::byte{0x08};
    return link;
  }();
  wire::DatagramHeader headers_{wire::Bytes(link_.bytes.data(), link_.length),
                                {wire::IpAddress::V4(1), 10},
                                {wire::IpAddress::V4(2), 20}};
  FrameBytes frame_ = FrameBytes(2000, std::byte{0xee});
  wire::PacketHeader header_;
  uint8_t ecn_ = 0;
  std::vector<wire::Record> records_;
};

TEST_F(PacketBuilderTest, TheHeaderNamesTokenAndNumber) {
  segments_ = {Data(0, 5)};
  Build({});
  EXPECT_EQ(header_.type, wire::PacketType::kData);
  EXPECT_EQ(header_.token, kToken);
  EXPECT_EQ(header_.number, 9u);
}

TEST_F(PacketBuilderTest, PayloadComesFromTheRing) {
  segments_ = {Data(10, 33, true)};
  Build({});
  ASSERT_EQ(records_.size(), 1u);
  EXPECT_EQ(records_[0].offset, 10u);
  EXPECT_TRUE(records_[0].fin);
  const std::string payload = Payload(records_[0]);
  ASSERT_EQ(payload.size(), 33u);
  for (size_t i = 0; i < payload.size(); ++i) EXPECT_EQ(payload[i], PatternAt(kStream, 10 + i));
}

TEST_F(PacketBuilderTest, PayloadThatWrapsInTheRingIsOnePiece) {
  segments_ = {Data(250, 13)};  // an odd number on the one side
  Build({});
  const std::string payload = Payload(records_[0]);
  ASSERT_EQ(payload.size(), 13u);
  for (size_t i = 0; i < payload.size(); ++i) {
    EXPECT_EQ(payload[i], PatternAt(kStream, (250 + i) % 256));
  }
}

TEST_F(PacketBuilderTest, OddLengthsKeepTheChecksumRight) {
  for (uint32_t length = 1; length < 20; ++length) {
    segments_ = {Data(0, length), Data(100, 3), Data(7, length, true)};
    records_.clear();
    frame_.assign(2000, std::byte{0xee});
    Build({});
    EXPECT_EQ(records_.size(), 3u);
  }
}

TEST_F(PacketBuilderTest, AckAndPingComeFirst) {
  wire::Ack ack;
  ack.largest = 5;
  ack.first_length = 2;
  segments_ = {Data(0, 1)};
  Build({.ack = true, .ping = true, .segments = {}}, &ack);
  ASSERT_EQ(records_.size(), 3u);
  EXPECT_EQ(records_[0].type, wire::RecordType::kAck);
  EXPECT_EQ(records_[0].ack.largest, 5u);
  EXPECT_EQ(records_[1].type, wire::RecordType::kPing);
  EXPECT_EQ(records_[2].type, wire::RecordType::kData);
}

TEST_F(PacketBuilderTest, PaddingFillsUpToTheSizeAskedFor) {
  Build({.ping = true, .pad_to = 1472, .segments = {}});
  EXPECT_EQ(frame_.size(), headers_.size() + 1472);
  EXPECT_EQ(records_.size(), 1u);
}

TEST_F(PacketBuilderTest, EcnIsSetWhenAskedFor) {
  segments_ = {Data(0, 1)};
  Build({.segments = {}, .ecn_capable = true});
  EXPECT_EQ(ecn_, 2);
}

TEST_F(PacketBuilderTest, AGoneStreamsSegmentIsLeftOut) {
  const StreamHandle gone = *streams_.Acquire();
  streams_.Release(gone);
  Segment old = Data(0, 10);
  old.stream = gone;
  segments_ = {old, Data(0, 4)};
  Build({});
  ASSERT_EQ(records_.size(), 1u);
  EXPECT_EQ(records_[0].length, 4u);
}

TEST_F(PacketBuilderTest, APacketOfGoneStreamsOnlyIsAPing) {
  segments_ = {Data(0, 10)};
  streams_.Release(stream_);
  Build({});
  ASSERT_EQ(records_.size(), 1u);
  EXPECT_EQ(records_[0].type, wire::RecordType::kPing);
}

TEST_F(PacketBuilderTest, ABareAckStaysBare) {
  wire::Ack ack;
  ack.largest = ack.first_length = 1;
  Build({.ack = true, .segments = {}}, &ack);
  ASSERT_EQ(records_.size(), 1u);
  EXPECT_EQ(records_[0].type, wire::RecordType::kAck);
}

TEST_F(PacketBuilderTest, MoreBytesThanTheRingHoldsAreNotRead) {
  segments_ = {Data(0, 257)};
  Build({});
  ASSERT_EQ(records_.size(), 1u);
  EXPECT_EQ(records_[0].type, wire::RecordType::kPing);
}

TEST_F(PacketBuilderTest, AnOpenGoesInFrontOfItsData) {
  segments_ = {Data(0, 3)};
  segments_[0].with_open = true;
  Build({});
  ASSERT_EQ(records_.size(), 2u);
  EXPECT_EQ(records_[0].type, wire::RecordType::kOpen);
  EXPECT_EQ(records_[0].receive_limit, 777u);
}

}  // namespace
}  // namespace netchannel
