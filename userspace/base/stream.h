// SPDX-License-Identifier: Apache-2.0
//
// Names that every layer from the transport up to the virtual sockets uses for one stream, and the
// segment, the unit in which streams travel over channels.
//
// A stream has two names. On the wire it is a StreamId, chosen by the end that opens it and never
// used twice in a session, so nothing that is late can be taken for something new. Inside a host it
// is a StreamHandle: a slot of the stream table and the slot's generation, so that a segment that
// outlives its socket is recognised in O(1) and dropped.
//
// A segment names bytes, it does not hold them. The bytes stay in the socket's send ring until they
// are acknowledged; a packet is built from the ring each time it is sent. A control segment names
// the fact to tell (a window, a reset); its value is read from the stream table when the packet is
// built, so a retransmission always tells the latest.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace netchannel {

// Bit 0 is the role of the opener (0: the session's client, 1: its server); the rest counts up
// from 1.
using StreamId = uint64_t;

struct StreamHandle {
  uint32_t slot = 0;
  uint32_t generation = 0;  // 0 is "no stream"
  bool operator==(const StreamHandle&) const = default;
  bool valid() const { return generation != 0; }
};

// Index and generation of a session in a host's session table.
struct SessionHandle {
  uint32_t slot = 0;
  uint32_t generation = 0;  // 0 is "no session"
  bool operator==(const SessionHandle&) const = default;
  bool valid() const { return generation != 0; }
};

// What the paper calls the application type. The numbers are on the wire and in the BPF maps.
enum class AppClass : uint8_t { kThroughput = 0, kLatency = 1 };
inline constexpr int kAppClasses = 2;

enum class SegmentKind : uint8_t {
  kData = 0,    // bytes [offset, offset + length) of the stream, and its end when `fin`
  kOpen = 1,    // a stream is opened (sent alone, or in front of data while it is not yet accepted)
  kAccept = 2,  // the stream is accepted
  kWindow = 3,  // the receive limit has moved
  kReset = 4,   // the stream is refused or aborted, with a code
};

struct Segment {
  StreamHandle stream;
  StreamOffset offset = 0;  // kData only
  uint32_t length = 0;      // bytes, kData only; may be 0 with `fin`
  SegmentKind kind = SegmentKind::kData;
  bool fin = false;        // kData only: the stream ends at offset + length
  bool with_open = false;  // kData only: an OPEN record goes in front, in the same packet
};
static_assert(sizeof(Segment) == 24);

}  // namespace netchannel
