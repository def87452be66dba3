// SPDX-License-Identifier: Apache-2.0
#include "wire/record_writer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "test_bytes.h"

namespace netchannel::wire {
namespace {

class RecordWriterTest : public ::testing::Test {
 protected:
  std::vector<std::byte> Written() { return {writer_.written().begin(), writer_.written().end()}; }
  std::vector<std::byte> buffer_ = std::vector<std::byte>(512, std::byte{0xee});
  RecordWriter writer_{absl::MakeSpan(buffer_)};
};

// The layouts of the specification, byte for byte.

TEST_F(RecordWriterTest, Ping) {
  ASSERT_TRUE(writer_.WritePing());
  EXPECT_EQ(Written(), Hex("01"));
}

TEST_F(RecordWriterTest, Ack) {
  Ack ack{.largest = 100,
          .delay = Duration::Micros(250),
          .ce_count = 3,
          .first_length = 4,
          .range_count = 1,
          .ranges = {}};
  ack.ranges[0] = {.gap = 2, .length = 5};
  ASSERT_TRUE(writer_.WriteAck(ack));
  EXPECT_EQ(Written(), Hex("02 01 0000 000000fa | 0000000000000064 | 0000000000000003 | 00000004 |"
                           "00000002 00000005"));
}

TEST_F(RecordWriterTest, Data) {
  ASSERT_TRUE(writer_.WriteDataHeader(6, 0x10000, 3, true));
  const auto payload = Hex("aabbcc");
  std::memcpy(writer_.TakePayload(3).data(), payload.data(), 3);
  EXPECT_EQ(Written(), Hex("03 01 0003 | 0000000000000006 | 0000000000010000 | aabbcc"));
}

TEST_F(RecordWriterTest, Open) {
  ASSERT_TRUE(writer_.WriteOpen(7, AppClass::kLatency, 0x1234, 80, 65536));
  EXPECT_EQ(Written(), Hex("04 01 1234 0050 0000 | 0000000000000007 | 0000000000010000"));
}

TEST_F(RecordWriterTest, Accept) {
  ASSERT_TRUE(writer_.WriteAccept(7, 65536));
  EXPECT_EQ(Written(), Hex("05 00000000000000 | 0000000000000007 | 0000000000010000"));
}

TEST_F(RecordWriterTest, Window) {
  ASSERT_TRUE(writer_.WriteWindow(7, 65536));
  EXPECT_EQ(Written(), Hex("06 00000000000000 | 0000000000000007 | 0000000000010000"));
}

TEST_F(RecordWriterTest, Reset) {
  ASSERT_TRUE(writer_.WriteReset(7, ResetCode::kAborted));
  EXPECT_EQ(Written(), Hex("07 00 0003 00000000 | 0000000000000007"));
}

TEST_F(RecordWriterTest, Close) {
  ASSERT_TRUE(writer_.WriteClose(CloseCode::kIdle));
  EXPECT_EQ(Written(), Hex("08 00 0001 00000000"));
}

TEST_F(RecordWriterTest, PaddingFillsUpToTheSize) {
  ASSERT_TRUE(writer_.WritePing());
  ASSERT_TRUE(writer_.WritePaddingTo(4));
  EXPECT_EQ(Written(), Hex("01 000000"));
  EXPECT_TRUE(writer_.WritePaddingTo(2));
  EXPECT_EQ(writer_.size(), 4u);
  EXPECT_FALSE(writer_.WritePaddingTo(buffer_.size() + 1));
}

// Bounds.

TEST(RecordWriterBounds, WritesNothingThatDoesNotFit) {
  std::vector<std::byte> buffer(64);
  const auto with_room = [&](size_t n) { return RecordWriter(absl::MakeSpan(buffer).first(n)); };
  EXPECT_FALSE(with_room(0).WritePing());
  EXPECT_FALSE(
      with_room(27).WriteAck(Ack{.largest = 1, .delay = {}, .first_length = 1, .ranges = {}}));
  EXPECT_FALSE(with_room(23).WriteOpen(2, AppClass::kLatency, 1, 2, 3));
  EXPECT_FALSE(with_room(23).WriteAccept(2, 3));
  EXPECT_FALSE(with_room(23).WriteWindow(2, 3));
  EXPECT_FALSE(with_room(15).WriteReset(2, ResetCode::kGone));
  EXPECT_FALSE(with_room(7).WriteClose(CloseCode::kIdle));
  EXPECT_FALSE(with_room(29).WriteDataHeader(2, 0, 10, false));
  EXPECT_TRUE(with_room(30).WriteDataHeader(2, 0, 10, false));
  EXPECT_EQ(buffer[30], std::byte{0});
}

TEST(RecordWriterBounds, AnAckIsShortenedToTheRoom) {
  Ack ack{.largest = 1000, .delay = {}, .first_length = 1, .range_count = 3, .ranges = {}};
  for (auto& range : ack.ranges) range = {.gap = 1, .length = 1};
  std::vector<std::byte> buffer(kAckRecordFixedSize + 2 * kAckRangeSize + 7);
  RecordWriter writer(absl::MakeSpan(buffer));
  ASSERT_TRUE(writer.WriteAck(ack));
  EXPECT_EQ(writer.size(), kAckRecordFixedSize + 2 * kAckRangeSize);
  EXPECT_EQ(buffer[1], std::byte{2});
}

}  // namespace
}  // namespace netchannel::wire
