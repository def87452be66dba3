// SPDX-License-Identifier: Apache-2.0
//
// The NetChannel packet on the wire: constants and plain values. userspace/wire/README.md is the
// specification; this header is its numbers. All integers are big-endian on the wire.
//
// A packet is one UDP datagram: a fixed header, then records until the end of the datagram.
//
//   header (20 bytes)    version 8 | type 8 | flags 16 | token 64 | packet number 64
//
// `token` is the random name that the RECEIVER of the packet gave to the channel. A packet whose
// token is not known is dropped and counted, whatever else it says.
#pragma once

#include <array>
#include <cstdint>

#include "base/stream.h"
#include "base/units.h"

namespace netchannel::wire {

inline constexpr uint8_t kVersion = 1;

enum class PacketType : uint8_t {
  kInit = 1,    // handshake: who I am and what I can; with or without a cookie
  kCookie = 2,  // handshake: a stranger's INIT is answered with this and with no state
  kAccept = 3,  // handshake: the session exists; the server's channels
  kReject = 4,  // handshake: why not (version, capacity, denied)
  kData = 5,    // an established channel's packet: records
  kStale = 6,   // "I do not know the token you used": echoes that token (the header's token field)
};

inline constexpr ByteCount kHeaderSize = 20;
inline constexpr uint16_t kFlagAckNow = 1;  // of kData: the sender waits for an acknowledgement

enum class RecordType : uint8_t {
  kPadding = 0,  // one zero byte; nothing but zero bytes follows it to the end of the packet
  kPing = 1,     // type 8. Asks for an acknowledgement
  kAck = 2,   // type 8 | range count 8 | flags 16 | delay us 32 | largest 64 | CE count 64 | first
              // length 32
              //   | (gap 32 | length 32) * (range count)
  kData = 3,  // type 8 | flags 8 (1: fin) | length 16 | stream 64 | offset 64 | bytes
  kOpen = 4,  // type 8 | class 8 | source port 16 | destination port 16 | reserved 16 | stream 64 |
              // receive limit 64
  kAccept = 5,  // type 8 | reserved 56 | stream 64 | receive limit 64
  kWindow = 6,  // type 8 | reserved 56 | stream 64 | receive limit 64
  kReset = 7,   // type 8 | reserved 8 | code 16 | reserved 32 | stream 64
  kClose = 8,   // type 8 | reserved 8 | code 16 | reserved 32. The session ends
};

inline constexpr ByteCount kPingRecordSize = 1;
inline constexpr ByteCount kAckRecordFixedSize = 28;
inline constexpr ByteCount kAckRangeSize = 8;
inline constexpr ByteCount kDataRecordHeaderSize = 20;
inline constexpr ByteCount kOpenRecordSize = 24;
inline constexpr ByteCount kAcceptRecordSize = 24;
inline constexpr ByteCount kWindowRecordSize = 24;
inline constexpr ByteCount kResetRecordSize = 16;
inline constexpr ByteCount kCloseRecordSize = 8;

// The number of (gap, length) pairs after the first range: what bounds an ACK and the receiver's
// memory.
inline constexpr int kMaxAckRanges = 32;
inline constexpr ByteCount kMaxDataLength = 65535;

// Why a stream ends other than by FIN. The numbers are on the wire.
enum class ResetCode : uint16_t {
  kNone = 0,
  kRefused = 1,      // no listener on the port            -> ECONNREFUSED
  kBacklogFull = 2,  // the listener's queue is full: the opener tries again
  kAborted = 3,      // closed with unread data or SO_LINGER 0 -> ECONNRESET
  kGone = 4,         // the stream is not known (any more) -> ECONNRESET
  kNoMemory = 5,     // the peer has no room for a socket  -> ECONNREFUSED on open, ECONNRESET after
  kTimedOut = 6,     // user timeout or keepalive          -> ETIMEDOUT
};

// Why a session ends. The numbers are on the wire; one that is not known is taken for kShutdown.
enum class CloseCode : uint16_t {
  kShutdown = 0,  // the stack goes away
  kIdle = 1,      // no streams for the idle timeout
  kProtocol = 2,  // the peer broke the protocol
};

// Bounds that validation uses.
inline constexpr StreamId kMinStreamId = 2;  // ids count up from 1 above the role bit
inline constexpr StreamOffset kMaxStreamOffset = uint64_t{1} << 62;  // 292 years at 500 Mbyte/s
inline constexpr ByteCount kMinPacketSize = 1200;   // every path carries it: RFC 9000 section 14
inline constexpr ByteCount kMaxPacketSize = 65507;  // what UDP over IPv4 can carry
inline constexpr int kMaxChannels = 16;             // of a session

// An acknowledgement as values. Range 0 is [largest - lengths[0] + 1, largest]; each further range
// lies `gap` unacknowledged numbers below the one before it.
struct Ack {
  PacketNumber largest = 0;
  Duration delay;         // between the receipt of `largest` and this ACK
  uint64_t ce_count = 0;  // packets received with the CE mark, in total
  uint32_t first_length = 0;
  uint8_t range_count = 0;
  struct Range {
    uint32_t gap;     // >= 1
    uint32_t length;  // >= 1
  };
  std::array<Range, kMaxAckRanges> ranges;
};

}  // namespace netchannel::wire
