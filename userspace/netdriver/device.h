// SPDX-License-Identifier: Apache-2.0
//
// The packet seam: what the protocol needs of anything that carries Ethernet frames. netdriver/xdp
// implements it on AF_XDP; tests implement it under virtual time; fault injection, capture and
// tracing wrap it.
//
// A Lane is one receive queue with its transmit side. It is used by one thread at a time (the
// thread that holds the stack's lease), without locks.
//
// Buffers. Received packets are borrowed from the lane between Receive and Release, and each is
// released exactly once, by handing the same RxPacket back. At most one transmit buffer is reserved
// at a time; Submit gives it to the device, whose completion frees it (Submit does not wait for
// that). Nothing here is retransmitted by the device: a submitted packet may be lost without
// notice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "base/units.h"

namespace netchannel {

// What copy-mode AF_XDP passes portably (MAX_SKB_FRAGS + 1), and what a 65535-byte packet needs: a
// received chunk of 4 KiB holds 3840 bytes behind its headroom.
inline constexpr size_t kMaxRxChunks = 18;

// Room in front of which all headers up to and including the packet header lie in the first chunk.
inline constexpr size_t kMinFirstChunk = 256;

struct RxPacket {
  std::array<absl::Span<const std::byte>, kMaxRxChunks> chunks;
  std::array<uint64_t, kMaxRxChunks> frames;  // the device's own names for the chunks' buffers
  uint32_t chunk_count = 0;
  uint32_t length = 0;  // bytes, all chunks, from the Ethernet header on

  absl::Span<const std::byte> first() const { return chunks[0]; }
};

struct LaneInfo {
  uint32_t index = 0;        // the lane's UDP port is base port + index
  uint32_t queue = 0;        // the NIC queue it receives from
  uint8_t app_class = 0;     // AppClass; see base/stream.h
  uint16_t mtu = 1500;       // the largest IP packet, bytes
  uint32_t rx_capacity = 0;  // packets of MTU size that fit between two Receive calls without loss
};

class Lane {
 public:
  virtual ~Lane() = default;
  virtual const LaneInfo& info() const = 0;

  // Fills `out` from the front with packets that have arrived; returns how many. Never blocks.
  virtual size_t Receive(absl::Span<RxPacket> out) = 0;
  // Gives received packets back. Packets may be released in any order, each once.
  virtual void Release(absl::Span<const RxPacket> packets) = 0;

  // One contiguous buffer for the largest frame of this lane (MTU and link header), or empty when
  // none is free: try again after the next Flush. Repeated calls without Submit return the same
  // buffer.
  virtual absl::Span<std::byte> Reserve() = 0;
  // Queues the first `length` bytes of the reserved buffer. Precondition: Reserve returned a
  // buffer.
  virtual void Submit(size_t length) = 0;
  // Makes the device send what was submitted, and takes completions back. Returns false when some
  // of it must be flushed again later (the kernel's budget was spent).
  virtual bool Flush() = 0;
  // Submitted packets that the device has not completed.
  virtual size_t in_flight() const = 0;

  // A descriptor that polls readable when packets wait; -1 where there is none (simulation).
  virtual int wait_fd() const = 0;
};

}  // namespace netchannel
