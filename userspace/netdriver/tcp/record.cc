// SPDX-License-Identifier: Apache-2.0
#include "netdriver/tcp/record.h"

#include "wire/byte_order.h"

namespace netchannel::tcp {
namespace {

using wire::RecordType;

constexpr uint8_t kFinFlag = 1;
constexpr uint32_t kMagic = 0x4e437450;  // "NCtP": a connection that is something else ends at once

// Every layout of this folder is these fields.
struct Fields {
  uint8_t type = 0, small = 0;
  uint16_t half = 0;
  uint32_t word = 0;
  uint64_t first = 0, second = 0;

  static Fields Load(const std::byte* p) {
    return {.type = wire::Load8(p),
            .small = wire::Load8(p + 1),
            .half = wire::LoadBe16(p + 2),
            .word = wire::LoadBe32(p + 4),
            .first = wire::LoadBe64(p + 8),
            .second = wire::LoadBe64(p + 16)};
  }
  void Store(std::byte* p) const {
    wire::Store8(p, type);
    wire::Store8(p + 1, small);
    wire::StoreBe16(p + 2, half);
    wire::StoreBe32(p + 4, word);
    wire::StoreBe64(p + 8, first);
    wire::StoreBe64(p + 16, second);
  }
  // Whether all but the type and the 64-bit fields are 0.
  bool head_is_zero() const { return small == 0 && half == 0 && word == 0; }
};

bool IsStream(uint64_t id) { return id >= wire::kMinStreamId; }
bool IsOffset(uint64_t offset) { return offset <= wire::kMaxStreamOffset; }

std::optional<Record> ParseData(const Fields& f) {
  Record record{.type = RecordType::kData};
  record.fin = (f.small & kFinFlag) != 0;
  record.length = f.word;
  record.stream = f.first;
  record.offset = f.second;
  const bool legal = (f.small & ~kFinFlag) == 0 && f.half == 0 && IsStream(f.first) &&
                     f.word <= kMaxPayload && (f.word > 0 || record.fin) && IsOffset(f.second) &&
                     IsOffset(f.second + f.word);
  return legal ? std::optional(record) : std::nullopt;
}

std::optional<Record> ParseOpen(const Fields& f) {
  Record record{.type = RecordType::kOpen};
  record.app_class = static_cast<AppClass>(f.small);
  record.source_port = f.half;
  record.destination_port = static_cast<uint16_t>(f.word >> 16);
  record.stream = f.first;
  record.receive_limit = f.second;
  const bool legal = f.small < kAppClasses && f.half != 0 && record.destination_port != 0 &&
                     (f.word & 0xffff) == 0 && IsStream(f.first) && IsOffset(f.second);
  return legal ? std::optional(record) : std::nullopt;
}

std::optional<Record> ParseLimit(const Fields& f) {
  Record record{.type = static_cast<RecordType>(f.type)};
  record.stream = f.first;
  record.receive_limit = f.second;
  const bool legal = f.head_is_zero() && IsStream(f.first) && IsOffset(f.second);
  return legal ? std::optional(record) : std::nullopt;
}

std::optional<Record> ParseReset(const Fields& f) {
  Record record{.type = RecordType::kReset};
  // One that is not known says no more than that it is over.
  const bool known = f.half <= static_cast<uint16_t>(wire::ResetCode::kTimedOut);
  record.reset_code = known ? static_cast<wire::ResetCode>(f.half) : wire::ResetCode::kAborted;
  record.stream = f.first;
  const bool legal =
      f.small == 0 && f.half != 0 && f.word == 0 && IsStream(f.first) && f.second == 0;
  return legal ? std::optional(record) : std::nullopt;
}

std::optional<Record> ParseClose(const Fields& f) {
  Record record{.type = RecordType::kClose};
  const bool known = f.half <= static_cast<uint16_t>(wire::CloseCode::kProtocol);
  record.close_code = known ? static_cast<wire::CloseCode>(f.half) : wire::CloseCode::kShutdown;
  const bool legal = f.small == 0 && f.word == 0 && f.first == 0 && f.second == 0;
  return legal ? std::optional(record) : std::nullopt;
}

}  // namespace

std::optional<Record> Record::Parse(wire::Bytes bytes) {
  const Fields f = Fields::Load(bytes.data());
  switch (static_cast<RecordType>(f.type)) {
    case RecordType::kData:
      return ParseData(f);
    case RecordType::kOpen:
      return ParseOpen(f);
    case RecordType::kAccept:
    case RecordType::kWindow:
      return ParseLimit(f);
    case RecordType::kReset:
      return ParseReset(f);
    case RecordType::kClose:
      return ParseClose(f);
    case RecordType::kPing:
      if (!f.head_is_zero() || f.first != 0 || f.second != 0) return std::nullopt;
      return Record{};
    case RecordType::kAck:
      if (!f.head_is_zero() || f.second != 0) return std::nullopt;
      return Record{.type = RecordType::kAck, .position = f.first};
    case RecordType::kPadding:
      break;
  }
  return std::nullopt;
}

void Record::Build(std::byte* out) const {
  Fields f{.type = static_cast<uint8_t>(type)};
  switch (type) {
    case RecordType::kData:
      f.small = fin ? kFinFlag : 0;
      f.word = length;
      f.first = stream;
      f.second = offset;
      break;
    case RecordType::kOpen:
      f.small = static_cast<uint8_t>(app_class);
      f.half = source_port;
      f.word = uint32_t{destination_port} << 16;
      f.first = stream;
      f.second = receive_limit;
      break;
    case RecordType::kAccept:
    case RecordType::kWindow:
      f.first = stream;
      f.second = receive_limit;
      break;
    case RecordType::kReset:
      f.half = static_cast<uint16_t>(reset_code);
      f.first = stream;
      break;
    case RecordType::kClose:
      f.half = static_cast<uint16_t>(close_code);
      break;
    case RecordType::kAck:
      f.first = position;
      break;
    case RecordType::kPing:
    case RecordType::kPadding:
      break;
  }
  f.Store(out);
}

// magic 32 | version min 8 | version max 8 | channel count 8 | channel 8
//   | class 8 | reserved 8 | base port 16 | reserved 32 | token 64
std::optional<Hello> Hello::Parse(wire::Bytes bytes) {
  const std::byte* p = bytes.data();
  Hello hello{.version_min = wire::Load8(p + 4),
              .version_max = wire::Load8(p + 5),
              .channel_count = wire::Load8(p + 6),
              .channel = wire::Load8(p + 7),
              .app_class = static_cast<AppClass>(wire::Load8(p + 8)),
              .base_port = wire::LoadBe16(p + 10),
              .token = wire::LoadBe64(p + 16)};
  const bool reserved = wire::Load8(p + 9) == 0 && wire::LoadBe32(p + 12) == 0;
  const bool channels = hello.channel_count >= 1 && hello.channel_count <= kMaxChannels &&
                        hello.channel < hello.channel_count;
  const bool first = hello.token != 0 || hello.channel == 0;
  const bool legal = wire::LoadBe32(p) == kMagic && hello.version_min >= 1 &&
                     hello.version_min <= hello.version_max && channels && first &&
                     wire::Load8(p + 8) < kAppClasses && hello.base_port != 0 && reserved;
  return legal ? std::optional(hello) : std::nullopt;
}

void Hello::Build(std::byte* out) const {
  wire::StoreBe32(out, kMagic);
  wire::Store8(out + 4, version_min);
  wire::Store8(out + 5, version_max);
  wire::Store8(out + 6, channel_count);
  wire::Store8(out + 7, channel);
  wire::Store8(out + 8, static_cast<uint8_t>(app_class));
  wire::Store8(out + 9, 0);
  wire::StoreBe16(out + 10, base_port);
  wire::StoreBe32(out + 12, 0);
  wire::StoreBe64(out + 16, token);
}

// magic 32 | version 8 | verdict 8 | channel count 8 | channel 8 | reserved 64 | token 64
std::optional<Welcome> Welcome::Parse(wire::Bytes bytes) {
  const std::byte* p = bytes.data();
  Welcome welcome{.verdict = static_cast<Verdict>(wire::Load8(p + 5)),
                  .version = wire::Load8(p + 4),
                  .channel_count = wire::Load8(p + 6),
                  .channel = wire::Load8(p + 7),
                  .token = wire::LoadBe64(p + 16)};
  const bool known = wire::Load8(p + 5) <= static_cast<uint8_t>(Verdict::kUnknownSession);
  const bool accepted = welcome.verdict == Verdict::kAccepted;
  const bool channels = welcome.channel_count >= 1 && welcome.channel_count <= kMaxChannels &&
                        welcome.channel < welcome.channel_count;
  const bool legal = wire::LoadBe32(p) == kMagic && known && wire::LoadBe64(p + 8) == 0 &&
                     (accepted ? channels && welcome.version == kVersion && welcome.token != 0
                               : welcome.token == 0);
  return legal ? std::optional(welcome) : std::nullopt;
}

void Welcome::Build(std::byte* out) const {
  wire::StoreBe32(out, kMagic);
  wire::Store8(out + 4, version);
  wire::Store8(out + 5, static_cast<uint8_t>(verdict));
  wire::Store8(out + 6, channel_count);
  wire::Store8(out + 7, channel);
  wire::StoreBe64(out + 8, 0);
  wire::StoreBe64(out + 16, token);
}

}  // namespace netchannel::tcp
