// SPDX-License-Identifier: Apache-2.0
//
// Packets through RecordReader, in one chunk and in many: the records are the same. What was read
// and is written again reads the same.
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/rng.h"
#include "fuzz_target.h"
#include "wire/record_reader.h"
#include "wire/record_writer.h"

namespace netchannel::fuzz {
namespace {

using wire::Bytes;
using wire::ReadResult;
using wire::Record;
using wire::RecordType;
using wire::RecordWriter;

constexpr size_t kChunkSeedSize = 8;  // the input's first bytes say where the borders are

std::string PayloadOf(const Record& r) {
  std::string payload;
  for (const Bytes part : r.payload()) {
    payload.append(reinterpret_cast<const char*>(part.data()), part.size());
  }
  return payload;
}

std::string Describe(const Record& r) {
  std::string text = absl::StrCat(static_cast<int>(r.type), " ");
  switch (r.type) {
    case RecordType::kAck:
      absl::StrAppend(&text, r.ack.largest, " ", r.ack.delay.nanos(), " ", r.ack.ce_count, " ",
                      r.ack.first_length);
      for (int i = 0; i < r.ack.range_count; ++i) {
        const auto& range = r.ack.ranges[static_cast<size_t>(i)];
        absl::StrAppend(&text, " ", range.gap, "/", range.length);
      }
      break;
    case RecordType::kData:
      absl::StrAppend(&text, r.stream, " ", r.offset, " ", r.fin, " ", r.length, " ", PayloadOf(r));
      break;
    case RecordType::kOpen:
      absl::StrAppend(&text, r.stream, " ", static_cast<int>(r.app_class), " ", r.source_port, " ",
                      r.destination_port, " ", r.receive_limit);
      break;
    case RecordType::kAccept:
    case RecordType::kWindow:
      absl::StrAppend(&text, r.stream, " ", r.receive_limit);
      break;
    case RecordType::kReset:
      absl::StrAppend(&text, r.stream, " ", static_cast<int>(r.reset_code));
      break;
    case RecordType::kClose:
      absl::StrAppend(&text, static_cast<int>(r.close_code));
      break;
    case RecordType::kPing:
    case RecordType::kPadding:
      break;
  }
  return absl::StrCat(text, "\n");
}

bool Write(const Record& r, RecordWriter& writer) {
  switch (r.type) {
    case RecordType::kAck:
      return writer.WriteAck(r.ack);
    case RecordType::kData: {
      const std::string payload = PayloadOf(r);
      if (!writer.WriteDataHeader(r.stream, r.offset, static_cast<uint16_t>(r.length), r.fin)) {
        return false;
      }
      if (!payload.empty()) {
        std::memcpy(writer.TakePayload(payload.size()).data(), payload.data(), payload.size());
      }
      return true;
    }
    case RecordType::kOpen:
      return writer.WriteOpen(r.stream, r.app_class, r.source_port, r.destination_port,
                              r.receive_limit);
    case RecordType::kAccept:
      return writer.WriteAccept(r.stream, r.receive_limit);
    case RecordType::kWindow:
      return writer.WriteWindow(r.stream, r.receive_limit);
    case RecordType::kReset:
      return writer.WriteReset(r.stream, r.reset_code);
    case RecordType::kClose:
      return writer.WriteClose(r.close_code);
    case RecordType::kPing:
      return writer.WritePing();
    case RecordType::kPadding:
      break;
  }
  return false;
}

// All records of [0, end) as text; written again to `copy` when there is one.
std::string Read(wire::ChunkList chunks, size_t end, RecordWriter* copy) {
  wire::RecordReader reader(chunks, 0, end);
  std::string text;
  Record record;
  ReadResult result;
  while ((result = reader.Next(&record)) == ReadResult::kRecord) {
    text += Describe(record);
    if (copy != nullptr) Require(Write(record, *copy), "what was read fits where it came from");
  }
  return absl::StrCat(text, result == ReadResult::kEnd ? "end" : "malformed");
}

std::vector<Bytes> Cut(Bytes packet, uint64_t seed) {
  SeededRng rng(seed);
  std::vector<Bytes> chunks;
  while (chunks.size() + 1 < wire::kMaxPayloadParts && !packet.empty()) {
    const size_t n = rng.Below(packet.size() + 1);
    // Half of the chunks are small, so that borders fall into record headers.
    const size_t length = rng.Chance(0.5) ? std::min<size_t>(n, rng.Below(24)) : n;
    chunks.push_back(packet.first(length));
    packet.remove_prefix(length);
  }
  chunks.push_back(packet);
  return chunks;
}

}  // namespace

std::vector<Input> FuzzSeeds() {
  Input seed(1024);
  RecordWriter writer(absl::MakeSpan(seed).subspan(kChunkSeedSize));
  wire::Ack ack{.largest = 500,
                .delay = Duration::Micros(9),
                .first_length = 7,
                .range_count = 3,
                .ranges = {}};
  ack.ranges[0] = ack.ranges[1] = ack.ranges[2] = {.gap = 2, .length = 3};
  writer.WriteAck(ack);
  writer.WritePing();
  writer.WriteOpen(4, AppClass::kLatency, 1, 2, 65536);
  writer.WriteDataHeader(4, 100, 50, true);
  writer.TakePayload(50);
  writer.WriteAccept(6, 65536);
  writer.WriteWindow(8, 65536);
  writer.WriteReset(10, wire::ResetCode::kGone);
  writer.WriteClose(wire::CloseCode::kIdle);
  Input without_padding(seed.begin(),
                        seed.begin() + static_cast<ptrdiff_t>(kChunkSeedSize + writer.size()));
  writer.WritePaddingTo(300);
  seed.resize(kChunkSeedSize + writer.size());
  return {seed, without_padding};
}

}  // namespace netchannel::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace netchannel;
  using namespace netchannel::fuzz;
  if (size < kChunkSeedSize) return 0;
  uint64_t chunk_seed;
  std::memcpy(&chunk_seed, data, sizeof(chunk_seed));
  const wire::Bytes packet = AsBytes(data, size).subspan(kChunkSeedSize);

  Input copy(packet.size());
  RecordWriter writer(absl::MakeSpan(copy));
  const wire::Bytes whole[] = {packet};
  const std::string expected = Read(whole, packet.size(), &writer);

  const auto chunks = Cut(packet, chunk_seed);
  Require(Read(chunks, packet.size(), nullptr) == expected, "chunk borders change nothing");
  const bool valid = wire::AreRecordsValid(chunks, 0, packet.size());
  Require(valid == expected.ends_with("end"), "validation agrees with reading");
  if (valid) {
    const wire::Bytes rewritten[] = {writer.written()};
    Require(Read(rewritten, writer.size(), nullptr) == expected, "written again, read the same");
  }
  return 0;
}
