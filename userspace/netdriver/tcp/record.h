// SPDX-License-Identifier: Apache-2.0
//
// What two stacks say to each other over the TCP connections of a session: a greeting on each
// connection, then records, both of 24 bytes, DATA followed by its payload. README.md in this
// folder is the specification; this header is its numbers. All integers are big-endian.
//
// Unlike the records of a packet (wire/record_reader.h) these have one size, so that a receiver
// knows how much to read before it knows what comes, and DATA's length is not bound to a packet.
//
// Parsing is strict: what is not legal is nullopt, and ends the connection. Thread: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "base/stream.h"
#include "base/units.h"
#include "wire/chunks.h"
#include "wire/packet_layout.h"

namespace netchannel::tcp {

inline constexpr size_t kRecordSize = 24;
inline constexpr size_t kGreetingSize = 24;
inline constexpr uint8_t kVersion = 1;
inline constexpr int kMaxChannels = 16;  // of a session, as over packets

// Of one DATA record. Large enough that its header and its call cost nothing beside the copy; a
// record of another stream waits for no more than this.
inline constexpr uint32_t kMaxPayload = 1024 * 1024;

// The numbers of wire::RecordType, without PADDING. kAck has a layout of its own.
struct Record {
  wire::RecordType type = wire::RecordType::kPing;
  bool fin = false;                                         // kData
  uint32_t length = 0;                                      // kData: bytes that follow
  StreamId stream = 0;                                      // kData to kReset
  StreamOffset offset = 0;                                  // kData
  StreamOffset receive_limit = 0;                           // kOpen, kAccept, kWindow
  uint64_t position = 0;                                    // kAck
  uint16_t source_port = 0;                                 // kOpen
  uint16_t destination_port = 0;                            // kOpen
  AppClass app_class = AppClass::kThroughput;               // kOpen
  wire::ResetCode reset_code = wire::ResetCode::kNone;      // kReset
  wire::CloseCode close_code = wire::CloseCode::kShutdown;  // kClose

  // Precondition: `bytes` has kRecordSize.
  static std::optional<Record> Parse(wire::Bytes bytes);
  // Writes kRecordSize bytes. Precondition: the values are legal.
  void Build(std::byte* out) const;
};

// The first bytes of a connection, from the end that has opened it.
struct Hello {
  uint8_t version_min = kVersion;
  uint8_t version_max = kVersion;
  uint8_t channel_count = 1;  // wished for the session, or what it has
  uint8_t channel = 0;        // which of them this connection is
  AppClass app_class = AppClass::kThroughput;
  uint16_t base_port = 0;  // where the sender's own stack listens
  uint64_t token = 0;      // of the session that the connection joins; 0: a new one

  static std::optional<Hello> Parse(wire::Bytes bytes);
  void Build(std::byte* out) const;
};

enum class Verdict : uint8_t {
  kAccepted = 0,
  kNoCommonVersion = 1,
  kBusy = 2,            // a limit is reached: try again later
  kDenied = 3,          // not this peer
  kUnknownSession = 4,  // no session has the token
};

// The first bytes of the other end: its answer.
struct Welcome {
  Verdict verdict = Verdict::kAccepted;
  uint8_t version = kVersion;
  uint8_t channel_count = 1;  // of the session, at most what was wished
  uint8_t channel = 0;        // HELLO's
  uint64_t token = 0;         // of the session; 0 unless accepted

  static std::optional<Welcome> Parse(wire::Bytes bytes);
  void Build(std::byte* out) const;
};

}  // namespace netchannel::tcp
