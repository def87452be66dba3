// SPDX-License-Identifier: Apache-2.0
//
// The memory that all packets of a device live in (one UMEM), and its budget.
//
// The budget is an itemised sum, per queue and per lane, in chunks of kChunkSize bytes:
//
//   queue:  fill   chunks that the kernel may write to          fill_ring
//           rx     chunks in RX rings or borrowed from them     rx_ring for each lane of the queue
//   lane:   tx     transmit slots and their completions         tx_slots * chunks_per_slot
//
// So a lane that nobody reads can hold rx_ring chunks at most, and its neighbours on the queue
// still find a full fill ring. A transmit slot is a run of chunks long enough for one frame of the
// MTU: its owner sees one linear buffer, the kernel one descriptor a chunk.
//
// Owner: XdpDevice. Thread: set-up only; the chunks themselves belong to QueuePort and TxPool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace netchannel::xdp {

inline constexpr uint32_t kChunkSize = 4096;  // bytes; the page: larger chunks need huge pages
// What the kernel leaves free in front of a received packet (XDP_PACKET_HEADROOM).
inline constexpr uint32_t kRxHeadroom = 256;
inline constexpr uint32_t kRxChunkRoom = kChunkSize - kRxHeadroom;
// Ethernet header and two VLAN tags, in front of the MTU.
inline constexpr uint32_t kMaxLinkHeader = 22;

// Chunks that one frame of the MTU takes.
constexpr uint32_t RxChunksPerFrame(uint32_t mtu) {
  return (mtu + kMaxLinkHeader + kRxChunkRoom - 1) / kRxChunkRoom;
}
constexpr uint32_t TxChunksPerFrame(uint32_t mtu) {
  return (mtu + kMaxLinkHeader + kChunkSize - 1) / kChunkSize;
}

struct UmemDemand {
  uint32_t queues = 1;
  uint32_t lanes = 1;
  uint32_t max_lanes_per_queue = 1;
  uint32_t rx_ring = 0;  // descriptors, a power of two
  uint32_t tx_ring = 0;  // descriptors, a power of two
  uint32_t mtu = 1500;
};

struct UmemBudget {
  uint32_t fill_ring = 0;        // entries; each queue
  uint32_t completion_ring = 0;  // entries; each queue
  uint32_t rx_ring = 0;          // entries; each lane
  uint32_t tx_ring = 0;          // entries; each lane
  uint32_t tx_slots = 0;         // each lane
  uint32_t tx_chunks_per_slot = 0;
  uint64_t fill_chunks = 0;  // the sum's lines, whole device
  uint64_t rx_chunks = 0;
  uint64_t tx_chunks = 0;

  uint64_t chunks() const { return fill_chunks + rx_chunks + tx_chunks; }
  uint64_t bytes() const { return chunks() * kChunkSize; }
  uint32_t QueueChunks(uint32_t lanes_of_queue) const {
    return fill_ring + lanes_of_queue * rx_ring;
  }
  uint32_t LaneTxChunks() const { return tx_slots * tx_chunks_per_slot; }
};

UmemBudget PlanUmem(const UmemDemand& demand);

class UmemArea {
 public:
  static absl::StatusOr<std::unique_ptr<UmemArea>> Allocate(uint64_t bytes);
  ~UmemArea();
  UmemArea(const UmemArea&) = delete;
  UmemArea& operator=(const UmemArea&) = delete;

  absl::Span<std::byte> bytes() const { return bytes_; }

 private:
  explicit UmemArea(absl::Span<std::byte> bytes) : bytes_(bytes) {}
  absl::Span<std::byte> bytes_;
};

}  // namespace netchannel::xdp
