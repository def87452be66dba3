// SPDX-License-Identifier: Apache-2.0
//
// One call's copy through a pool: pieces go in at one end, to workers or copied by the caller
// itself, and come out as bytes in the order of the stream. The stack is told of the bytes before
// the first piece that is missing, no others.
//
// A fault ends it: the bytes before it count, what is behind it is cancelled. Cancelling, at the
// latest in the destructor, takes back what no worker has begun and waits for the rest, a piece a
// worker; after it nobody touches the memory.
//
// Owner and thread: the call. Limits: kWindow pieces and the given bytes in flight.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "netscheduler/copy/copy_queues.h"

namespace netchannel {

struct CopyTotals {
  uint64_t worker_pieces = 0, worker_bytes = 0;
  uint64_t caller_pieces = 0, caller_bytes = 0;
  uint64_t faults = 0;
};

class CopyPipeline {
 public:
  CopyPipeline(CopyQueues* queues, bool checked, uint64_t max_in_flight)
      : queues_(queues), checked_(checked), max_in_flight_(max_in_flight) {}
  ~CopyPipeline() { Cancel(); }
  CopyPipeline(const CopyPipeline&) = delete;
  CopyPipeline& operator=(const CopyPipeline&) = delete;

  bool empty() const { return count_ == 0; }
  bool HasRoom(uint64_t length) const;
  // Gives it to a worker, or copies it now where none has room. Precondition: HasRoom, no fault.
  void Add(const CopyPiece& piece);

  // Bytes that are complete since the last time, without waiting.
  uint64_t Collect();
  // Copies the first piece that no worker has begun. False: there is none.
  bool Help();
  // Waits until the first piece is done. Precondition: not empty.
  void Await();
  void Cancel();

  bool fault() const { return totals_.faults != 0; }
  const CopyTotals& totals() const { return totals_; }

 private:
  static constexpr uint32_t kWindow = 64;

  struct Entry {
    std::optional<CopySlots::Ticket> ticket;  // none: copied by the caller
    uint32_t length = 0;
    size_t copied = 0;  // when there is no ticket
  };

  Entry& At(uint32_t i) { return entries_[(head_ + i) % kWindow]; }
  void CopyHere(Entry& entry, const CopyPiece& piece);

  CopyQueues* const queues_;
  const bool checked_;
  const uint64_t max_in_flight_;
  std::array<Entry, kWindow> entries_;
  uint32_t head_ = 0, count_ = 0;
  uint64_t in_flight_ = 0;
  CopyTotals totals_;
};

}  // namespace netchannel
