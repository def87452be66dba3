// SPDX-License-Identifier: Apache-2.0
//
// What the lanes of one NIC queue share: the queue's fill ring with its receive chunks, and its
// completion ring. The kernel keeps both per (interface, queue), however many sockets are bound
// there.
//
// Each receive chunk has one owner: the kernel (in the fill ring, or filled and in an RX ring), the
// user (between Lane::Receive and Lane::Release), or the spare stack. The fill ring is kept full
// from the stack, most recently used chunk first.
//
// Owner: XdpDevice. Thread: one at a time, the same for all lanes of the queue.
// Errors: addresses come from the kernel; one that is not what it should be is counted and ignored.
#pragma once

#include <xdp/xsk.h>

#include <cstdint>
#include <vector>

#include "netdriver/xdp/tx_pool.h"
#include "netdriver/xdp/umem.h"

namespace netchannel::xdp {

class QueuePort {
 public:
  // The chunks [first, first + count) of the UMEM are the queue's.
  QueuePort(uint32_t queue, uint32_t first_chunk, uint32_t chunk_count);
  QueuePort(const QueuePort&) = delete;
  QueuePort& operator=(const QueuePort&) = delete;

  void AddTxPool(TxPool* pool) { tx_pools_.push_back(pool); }

  // Call when the rings have been mapped (again): chunks that the kernel had are ours again, and
  // the fill ring is filled. Chunks the user has stay theirs.
  void Start();

  // Takes a received chunk over from the kernel. False when `address` is none of ours.
  bool Take(uint64_t address) {
    const uint64_t chunk = address / kChunkSize - first_chunk_;
    if (chunk >= owner_.size() || owner_[chunk] != Owner::kKernel) {
      ++invalid_;
      return false;
    }
    owner_[chunk] = Owner::kUser;
    ++borrowed_;
    return true;
  }

  // The user is done with a chunk; any address within names it. Refill makes it available to the
  // kernel.
  void GiveBack(uint64_t address) {
    const uint64_t chunk = address / kChunkSize - first_chunk_;
    if (chunk >= owner_.size() || owner_[chunk] != Owner::kUser) {
      ++invalid_;
      return;
    }
    owner_[chunk] = Owner::kSpare;
    --borrowed_;
    spare_.push_back(static_cast<uint32_t>(chunk));
  }

  // Moves spare chunks into the fill ring as far as it has room.
  void Refill();
  // Hands finished transmissions back to their pools.
  void Reap();

  uint32_t queue() const { return queue_; }
  uint32_t borrowed() const { return borrowed_; }        // chunks the user has
  uint64_t completions() const { return completions_; }  // descriptors, since the beginning
  uint64_t invalid() const { return invalid_; }
  bool fill_needs_wakeup() const { return xsk_ring_prod__needs_wakeup(&fill_) != 0; }

  // For the creation of sockets; libxdp keeps these pointers until the sockets are deleted.
  xsk_ring_prod* fill_ring() { return &fill_; }
  xsk_ring_cons* completion_ring() { return &completion_; }

 private:
  enum class Owner : uint8_t { kSpare, kKernel, kUser };

  const uint32_t queue_;
  const uint32_t first_chunk_;
  xsk_ring_prod fill_{};
  xsk_ring_cons completion_{};
  std::vector<Owner> owner_;     // by chunk of the queue
  std::vector<uint32_t> spare_;  // chunks of the queue; capacity for all
  std::vector<TxPool*> tx_pools_;
  uint32_t borrowed_ = 0;
  uint64_t completions_ = 0;
  uint64_t invalid_ = 0;
};

}  // namespace netchannel::xdp
