// SPDX-License-Identifier: Apache-2.0
//
// The doorbell ring: application threads push the numbers of sockets and calls to look at, the
// stack pops them in order. A bounded queue with a sequence number per cell (D. Vyukov's), many
// producers, one consumer.
//
// It cannot overflow for a lawful application: a socket is pushed only by who turned its `dirty`
// from 0 to 1, a call only by its owner, and there are cells for all of both. So a producer takes
// its cell with one fetch_add and never looks whether it is free.
//
// The consumer keeps its own head and reads each shared word once. Whatever the application writes
// there, a Pop is O(1), and its value is checked; garbage makes the application's own doorbell
// silent, nothing else. Thread: Push from any; Pop from one at a time (the stack's lease).
#pragma once

#include <cstdint>
#include <optional>

#include "ipc/region.h"

namespace netchannel::ipc {

class DoorbellProducer {
 public:
  explicit DoorbellProducer(const RegionView& region);
  void Push(uint32_t value);  // a socket's index, or kDoorbellCall | a call's

 private:
  DoorbellRing* ring_;
  DoorbellCell* cells_;
  uint32_t mask_;
};

struct Doorbell {
  enum class Kind : uint8_t {
    kSocket,
    kCall,
    kFreeSlot,  // of a socket that is no more (StackSide::PopDoorbell): nothing to do, but counted
    kBreach,    // a value that no lawful application writes
  };
  Kind kind;
  uint32_t index;
};

class DoorbellConsumer {
 public:
  explicit DoorbellConsumer(const RegionView& region);
  bool HasEntry() const;
  std::optional<Doorbell> Pop();

  // A producer that was killed between taking its cell and filling it leaves a hole, behind which
  // nothing is seen. Skips one that was here the last time, too: true. Then what the skipped
  // producers meant, and what a stopped one that goes on writes too late, is to be looked for. To
  // be called about once a second.
  bool SkipHole();
  // False: `tail` says that more was pushed than there are cells.
  bool IsIntact() const;

 private:
  void Advance();
  // What the cell at `head_` holds when it is filled, less one.
  uint32_t Lap() const { return head_ & ~(count_ - 1); }

  DoorbellRing* ring_;
  DoorbellCell* cells_;
  uint32_t count_;
  uint32_t socket_count_;
  uint32_t head_ = 0;
  std::optional<uint32_t> hole_;  // where it was the last time
};

}  // namespace netchannel::ipc
