// SPDX-License-Identifier: Apache-2.0
//
// The pieces that are being copied for somebody: who may touch the memory of each.
//
//            Submit              Claim              Finish
//   free ------------> queued ------------> taken ------------> done --> free (Release)
//                        |    TakeBack        ^
//                        +--------------------+ (by its owner, who then copies it or gives it up)
//
// The owner is the call that submitted the piece. It returns only when each of its pieces is done
// or taken back, so nobody touches a program's buffer after the call that named it. A worker that
// comes late, with the ticket of a piece that was taken back, finds another generation in the slot
// and leaves it alone; slots belong to the pool and outlive all calls, so looking is always safe.
//
// Thread: Claim and Finish: workers; the others: the owner of the piece. Limit: kSlots pieces at
// once; Reserve then is nothing, and the caller copies itself.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "netscheduler/copy/copy_piece.h"

namespace netchannel {

class CopySlots {
 public:
  // 16 MiB on the way: a dozen calls with all the bytes in flight that they may have.
  static constexpr uint32_t kSlots = 256;

  // A slot in one of its lives.
  struct Ticket {
    uint32_t slot = 0;
    uint64_t generation = 0;
    uint64_t Pack() const { return generation * kSlots + slot; }
    static Ticket Unpack(uint64_t word) {
      return {static_cast<uint32_t>(word % kSlots), word / kSlots};
    }
  };

  std::optional<Ticket> Submit(const CopyPiece& piece, uint32_t worker);
  bool TakeBack(const Ticket& ticket);
  bool IsDone(const Ticket& ticket) const;
  // Sleeps until it is done; a signal does not end it. Precondition: not taken back.
  void Await(const Ticket& ticket);
  void Release(const Ticket& ticket);

  bool Claim(const Ticket& ticket);
  void Finish(const Ticket& ticket, size_t copied);

  const CopyPiece& piece(const Ticket& ticket) const { return slots_[ticket.slot].piece; }
  uint32_t worker(const Ticket& ticket) const { return slots_[ticket.slot].worker; }
  // Precondition: done.
  size_t copied(const Ticket& ticket) const { return slots_[ticket.slot].copied; }
  // Slots that are not free. For tests.
  uint32_t in_use() const;

 private:
  enum Phase : uint64_t { kFree = 0, kQueued = 1, kTaken = 2, kDone = 3 };
  static constexpr uint64_t kPhaseMask = 3;
  static constexpr uint64_t kWaited = 4;  // the owner sleeps on `event`

  struct alignas(64) Slot {
    std::atomic<uint64_t> state{kFree};  // generation * 8 + kWaited or 0 + phase
    std::atomic<uint32_t> event{0};      // futex: moves when a piece that is waited for is done
    uint32_t worker = 0;
    CopyPiece piece;
    size_t copied = 0;
  };

  static uint64_t StateOf(uint64_t generation, Phase phase) { return generation * 8 + phase; }
  static uint64_t GenerationOf(uint64_t state) { return state / 8; }
  bool Advance(const Ticket& ticket);

  std::atomic<uint32_t> next_{0};  // where to look for a free one
  std::array<Slot, kSlots> slots_;
};

}  // namespace netchannel
