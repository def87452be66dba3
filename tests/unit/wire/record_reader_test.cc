// SPDX-License-Identifier: Apache-2.0
#include "wire/record_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "test_bytes.h"
#include "wire/record_writer.h"

namespace netchannel::wire {
namespace {

std::string Payload(const Record& record) {
  std::string text;
  for (const Bytes part : record.payload()) {
    text.append(reinterpret_cast<const char*>(part.data()), part.size());
  }
  return text;
}

// One record from hexadecimal.
class OneRecord {
 public:
  explicit OneRecord(std::string_view hex) : bytes_(Hex(hex)) {
    const Bytes chunks[] = {bytes_};
    RecordReader reader(chunks, 0, bytes_.size());
    result = reader.Next(&record);
    again = reader.Next(&next_);
  }
  bool malformed() const {
    return result == ReadResult::kMalformed && again == ReadResult::kMalformed;
  }

  ReadResult result, again;
  Record record;

 private:
  std::vector<std::byte> bytes_;
  Record next_;
};

TEST(RecordReader, AnEmptyPacketEnds) {
  const OneRecord r("");
  EXPECT_EQ(r.result, ReadResult::kEnd);
}

TEST(RecordReader, Ping) {
  const OneRecord r("01");
  ASSERT_EQ(r.result, ReadResult::kRecord);
  EXPECT_EQ(r.record.type, RecordType::kPing);
  EXPECT_EQ(r.again, ReadResult::kEnd);
}

TEST(RecordReader, Ack) {
  const OneRecord r(
      "02 01 0000 000000fa | 0000000000000064 | 0000000000000003 | 00000004 | 00000002 00000005");
  ASSERT_EQ(r.result, ReadResult::kRecord);
  EXPECT_EQ(r.record.ack.largest, 100u);
  EXPECT_EQ(r.record.ack.delay, Duration::Micros(250));
  EXPECT_EQ(r.record.ack.ce_count, 3u);
  EXPECT_EQ(r.record.ack.first_length, 4u);
  ASSERT_EQ(r.record.ack.range_count, 1);
  EXPECT_EQ(r.record.ack.ranges[0].gap, 2u);
  EXPECT_EQ(r.record.ack.ranges[0].length, 5u);
}

TEST(RecordReader, AnAckMayReachDownToPacketOne) {
  EXPECT_EQ(OneRecord("02 01 0000 00000000 | 000000000000000a | 0000000000000000 | 00000004 |"
                      "00000002 00000004")
                .result,
            ReadResult::kRecord);
}

TEST(RecordReader, RefusesAnAckThatReachesBelowPacketOne) {
  EXPECT_TRUE(OneRecord("02 01 0000 00000000 | 000000000000000a | 0000000000000000 | 00000004 |"
                        "00000002 00000005")
                  .malformed());
  EXPECT_TRUE(OneRecord("02 00 0000 00000000 | 000000000000000a | 0000000000000000 | 0000000b")
                  .malformed());
  EXPECT_TRUE(OneRecord("02 01 0000 00000000 | 000000000000000a | 0000000000000000 | 00000004 |"
                        "ffffffff 00000001")
                  .malformed());
}

TEST(RecordReader, RefusesAnAckOfNothing) {
  EXPECT_TRUE(OneRecord("02 00 0000 00000000 | 0000000000000000 | 0000000000000000 | 00000000")
                  .malformed());
  EXPECT_TRUE(OneRecord("02 00 0000 00000000 | 000000000000000a | 0000000000000000 | 00000000")
                  .malformed());
}

TEST(RecordReader, RefusesAnAckWithAnEmptyGapOrRange) {
  EXPECT_TRUE(OneRecord("02 01 0000 00000000 | 000000000000000a | 0000000000000000 | 00000001 |"
                        "00000000 00000001")
                  .malformed());
  EXPECT_TRUE(OneRecord("02 01 0000 00000000 | 000000000000000a | 0000000000000000 | 00000001 |"
                        "00000001 00000000")
                  .malformed());
}

TEST(RecordReader, RefusesAnAckWithReservedFlags) {
  EXPECT_TRUE(OneRecord("02 00 0001 00000000 | 000000000000000a | 0000000000000000 | 00000001")
                  .malformed());
}

TEST(RecordReader, RefusesAnAckWithMoreRangesThanTheBound) {
  std::string hex = "02 21 0000 00000000 | 0000000000001000 | 0000000000000000 | 00000001";
  for (int i = 0; i < kMaxAckRanges + 1; ++i) hex += "00000001 00000001";
  EXPECT_TRUE(OneRecord(hex).malformed());
  hex.replace(3, 2, "20");
  hex.resize(hex.size() - 17);
  EXPECT_EQ(OneRecord(hex).result, ReadResult::kRecord);
}

TEST(RecordReader, Data) {
  const OneRecord r("03 01 0003 | 0000000000000006 | 0000000000010000 | 616263");
  ASSERT_EQ(r.result, ReadResult::kRecord);
  EXPECT_EQ(r.record.stream, 6u);
  EXPECT_EQ(r.record.offset, 0x10000u);
  EXPECT_TRUE(r.record.fin);
  EXPECT_EQ(r.record.length, 3u);
  EXPECT_EQ(Payload(r.record), "abc");
}

TEST(RecordReader, DataMayBeEmptyOnlyWithFin) {
  EXPECT_EQ(OneRecord("03 01 0000 | 0000000000000006 | 0000000000010000").result,
            ReadResult::kRecord);
  EXPECT_TRUE(OneRecord("03 00 0000 | 0000000000000006 | 0000000000010000").malformed());
}

TEST(RecordReader, RefusesDataBeyondThePacket) {
  EXPECT_TRUE(OneRecord("03 00 0004 | 0000000000000006 | 0000000000010000 | 616263").malformed());
}

TEST(RecordReader, RefusesDataBeyondTheLastOffset) {
  EXPECT_EQ(OneRecord("03 00 0001 | 0000000000000006 | 3fffffffffffffff | 61").result,
            ReadResult::kRecord);
  EXPECT_TRUE(OneRecord("03 00 0001 | 0000000000000006 | 4000000000000000 | 61").malformed());
  EXPECT_TRUE(OneRecord("03 00 0001 | 0000000000000006 | ffffffffffffffff | 61").malformed());
}

TEST(RecordReader, RefusesUnknownDataFlags) {
  EXPECT_TRUE(OneRecord("03 02 0001 | 0000000000000006 | 0000000000000000 | 61").malformed());
}

TEST(RecordReader, Open) {
  const OneRecord r("04 01 1234 0050 0000 | 0000000000000007 | 0000000000010000");
  ASSERT_EQ(r.result, ReadResult::kRecord);
  EXPECT_EQ(r.record.app_class, AppClass::kLatency);
  EXPECT_EQ(r.record.source_port, 0x1234);
  EXPECT_EQ(r.record.destination_port, 80);
  EXPECT_EQ(r.record.stream, 7u);
  EXPECT_EQ(r.record.receive_limit, 65536u);
}

TEST(RecordReader, RefusesAnIllegalOpen) {
  for (const char* hex : {
           "04 02 1234 0050 0000 | 0000000000000007 | 0000000000010000",  // class
           "04 01 0000 0050 0000 | 0000000000000007 | 0000000000010000",  // source port
           "04 01 1234 0000 0000 | 0000000000000007 | 0000000000010000",  // destination port
           "04 01 1234 0050 0001 | 0000000000000007 | 0000000000010000",  // reserved
           "04 01 1234 0050 0000 | 0000000000000001 | 0000000000010000",  // stream
           "04 01 1234 0050 0000 | 0000000000000007 | 4000000000000001",  // limit
       }) {
    EXPECT_TRUE(OneRecord(hex).malformed()) << hex;
  }
}

TEST(RecordReader, AcceptAndWindow) {
  for (const char* type : {"05", "06"}) {
    const OneRecord r(std::string(type) + "00000000000000 | 0000000000000007 | 0000000000010000");
    ASSERT_EQ(r.result, ReadResult::kRecord);
    EXPECT_EQ(r.record.stream, 7u);
    EXPECT_EQ(r.record.receive_limit, 65536u);
    EXPECT_TRUE(OneRecord(std::string(type) + "00000000000001 0000000000000007 0000000000010000")
                    .malformed());
    EXPECT_TRUE(OneRecord(std::string(type) + "80000000000000 0000000000000007 0000000000010000")
                    .malformed());
  }
}

TEST(RecordReader, Reset) {
  const OneRecord r("07 00 0001 00000000 | 0000000000000007");
  ASSERT_EQ(r.result, ReadResult::kRecord);
  EXPECT_EQ(r.record.reset_code, ResetCode::kRefused);
  EXPECT_EQ(r.record.stream, 7u);
}

TEST(RecordReader, AnUnknownResetCodeIsAnAbort) {
  EXPECT_EQ(OneRecord("07 00 7777 00000000 | 0000000000000007").record.reset_code,
            ResetCode::kAborted);
  EXPECT_TRUE(OneRecord("07 00 0000 00000000 | 0000000000000007").malformed());
}

TEST(RecordReader, RefusesReservedBitsInReset) {
  EXPECT_TRUE(OneRecord("07 01 0001 00000000 | 0000000000000007").malformed());
  EXPECT_TRUE(OneRecord("07 00 0001 00000001 | 0000000000000007").malformed());
}

TEST(RecordReader, Close) {
  const OneRecord r("08 00 0002 00000000");
  ASSERT_EQ(r.result, ReadResult::kRecord);
  EXPECT_EQ(r.record.close_code, CloseCode::kProtocol);
  EXPECT_EQ(OneRecord("08 00 0fff 00000000").record.close_code, CloseCode::kShutdown);
  EXPECT_TRUE(OneRecord("08 01 0000 00000000").malformed());
  EXPECT_TRUE(OneRecord("08 00 0000 00000001").malformed());
}

TEST(RecordReader, PaddingIsZeroToTheEnd) {
  EXPECT_EQ(OneRecord("00 00 00").result, ReadResult::kEnd);
  EXPECT_TRUE(OneRecord("00 00 01").malformed());
}

TEST(RecordReader, RefusesUnknownTypes) {
  EXPECT_TRUE(OneRecord("09").malformed());
  EXPECT_TRUE(OneRecord("ff").malformed());
}

TEST(RecordReader, RefusesEveryTruncatedRecord) {
  for (const char* hex : {
           "02 01 0000 00000000 0000000000000064 0000000000000003 00000004 00000002 00000005",
           "03 01 0003 | 0000000000000006 | 0000000000010000 | 616263",
           "04 01 1234 0050 0000 | 0000000000000007 | 0000000000010000",
           "05 00000000000000 | 0000000000000007 | 0000000000010000",
           "07 00 0001 00000000 | 0000000000000007",
           "08 00 0001 00000000",
       }) {
    const auto bytes = Hex(hex);
    for (size_t n = 1; n < bytes.size(); ++n) {
      const Bytes chunks[] = {Bytes(bytes).first(n)};
      EXPECT_FALSE(AreRecordsValid(chunks, 0, n)) << hex << " cut at " << n;
    }
  }
}

TEST(RecordReader, AckEliciting) {
  EXPECT_FALSE(IsAckEliciting(RecordType::kAck));
  EXPECT_FALSE(IsAckEliciting(RecordType::kPadding));
  EXPECT_FALSE(IsAckEliciting(RecordType::kClose));
  EXPECT_TRUE(IsAckEliciting(RecordType::kPing));
  EXPECT_TRUE(IsAckEliciting(RecordType::kData));
  EXPECT_TRUE(IsAckEliciting(RecordType::kReset));
}

// A packet of every record, in chunks.
class RecordReaderChunks : public ::testing::Test {
 protected:
  RecordReaderChunks() {
    RecordWriter writer(absl::MakeSpan(packet_).subspan(kBegin));
    Ack ack{.largest = 50, .delay = {}, .first_length = 2, .range_count = 2, .ranges = {}};
    ack.ranges[0] = ack.ranges[1] = {.gap = 3, .length = 4};
    writer.WriteAck(ack);
    writer.WriteOpen(4, AppClass::kThroughput, 1, 2, 1000);
    WriteData(writer, "hello, world");
    writer.WriteWindow(6, 2000);
    WriteData(writer, "again");
    writer.WriteReset(8, ResetCode::kGone);
    end_ = kBegin + writer.size();
  }
  void WriteData(RecordWriter& writer, const std::string& text) {
    writer.WriteDataHeader(4, 0, static_cast<uint16_t>(text.size()), false);
    std::memcpy(writer.TakePayload(text.size()).data(), text.data(), text.size());
  }
  // What the records say, as text.
  std::string Read(ChunkList chunks) {
    RecordReader reader(chunks, kBegin, end_);
    std::string text;
    Record r;
    ReadResult result;
    while ((result = reader.Next(&r)) == ReadResult::kRecord) {
      text += std::to_string(static_cast<int>(r.type)) + ":";
      if (r.type == RecordType::kAck) text += std::to_string(r.ack.ranges[1].length);
      if (r.type == RecordType::kData) text += Payload(r);
      if (r.type == RecordType::kWindow) text += std::to_string(r.receive_limit);
      text += " ";
    }
    return text + (result == ReadResult::kEnd ? "end" : "malformed");
  }

  static constexpr size_t kBegin = 62;  // behind the headers
  static constexpr const char* kExpected = "2:4 4: 3:hello, world 6:2000 3:again 7: end";
  std::vector<std::byte> packet_ = std::vector<std::byte>(512);
  size_t end_ = 0;
};

TEST_F(RecordReaderChunks, OneChunk) {
  const Bytes chunks[] = {packet_};
  EXPECT_EQ(Read(chunks), kExpected);
}

TEST_F(RecordReaderChunks, TwoChunksWithTheBorderAnywhere) {
  for (size_t cut = 0; cut <= end_; ++cut) {
    const Bytes chunks[] = {Bytes(packet_).first(cut), Bytes(packet_).subspan(cut)};
    ASSERT_EQ(Read(chunks), kExpected) << cut;
  }
}

TEST_F(RecordReaderChunks, ManySmallAndEmptyChunks) {
  for (const size_t size : {1, 2, 3, 7, 13}) {
    std::vector<Bytes> chunks;
    for (size_t at = 0; at < packet_.size(); at += size) {
      chunks.push_back(Bytes(packet_).subspan(at, size));
      chunks.push_back(Bytes());
    }
    ASSERT_EQ(Read(chunks), kExpected) << size;
  }
}

TEST_F(RecordReaderChunks, APayloadOfTooManyPartsIsMalformed) {
  RecordWriter writer(absl::MakeSpan(packet_).subspan(kBegin));
  WriteData(writer, std::string(kMaxPayloadParts + 1, 'x'));
  end_ = kBegin + writer.size();
  std::vector<Bytes> chunks;
  for (size_t at = 0; at < end_; ++at) chunks.push_back(Bytes(packet_).subspan(at, 1));
  EXPECT_EQ(Read(chunks), "malformed");
}

TEST_F(RecordReaderChunks, ChunksThatEndBeforeThePacketAreMalformed) {
  const Bytes chunks[] = {Bytes(packet_).first(end_ - 1)};
  EXPECT_FALSE(AreRecordsValid(chunks, kBegin, end_));
}

}  // namespace
}  // namespace netchannel::wire
