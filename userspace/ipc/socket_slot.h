// SPDX-License-Identifier: Apache-2.0
//
// What both sides work out from a socket's slot: what it is ready for, and its two addresses.
//
// The stack tells who waits what has happened (an arrival, room, a change of state); what a socket
// is ready for is worked out here, by the application, when it looks.
//
// Thread: any; the addresses are copied word by word, so a reader beside a change sees old or new
// words.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "ipc/abi.h"
#include "ipc/fence.h"

namespace netchannel::ipc {

inline SlotState StateOf(uint32_t flags) { return static_cast<SlotState>(flags & kFlagState); }
inline bool PeerFin(uint32_t flags) { return (flags & kFlagPeerFin) != 0; }

// Bytes that can be written. 0 when the positions break the ring's rule.
inline uint64_t WriteRoom(uint64_t written, uint64_t acknowledged, uint64_t capacity) {
  const uint64_t used = written - acknowledged;
  return used < capacity ? capacity - used : 0;
}

// A full buffer counts as writable again when a quarter is free: a wake-up then moves many bytes.
inline bool IsWritable(uint64_t room, uint64_t capacity) { return room >= capacity / 4; }

// A reader should look: data, a waiting connection, or the end.
inline bool IsReadable(uint32_t flags, uint64_t received, uint64_t consumed) {
  return received != consumed || PeerFin(flags);
}

// Where `acknowledged` has to get for the buffer to count as writable again.
inline uint64_t RoomAt(uint64_t written, uint64_t capacity) {
  return written - capacity + capacity / 4;
}

// Has a position got to `at`? Positions wrap.
inline bool Reached(uint64_t position, uint64_t at) {
  return static_cast<int64_t>(position - at) >= 0;
}

// A thread is about to sleep on `event` for what `bits` (kReadWaiter, kWriteWaiter) stand for: the
// value to sleep on, if what it waits for is still not there. Nothing: the stack has woken somebody
// meanwhile and cleared the bits; with them cleared nobody would wake this one.
inline std::optional<uint32_t> AnnounceWaiter(SocketSlot* slot, uint32_t bits) {
  slot->waiters.fetch_or(bits, std::memory_order_seq_cst);
  FullFence();
  const uint32_t event = slot->event.load(std::memory_order_seq_cst);
  // After `event`: who clears them from here on moves it after that.
  if ((slot->waiters.load(std::memory_order_seq_cst) & bits) != bits) return std::nullopt;
  return event;
}

static_assert(offsetof(SocketSlot, local) % sizeof(uint32_t) == 0);
static_assert(offsetof(SocketSlot, peer) % sizeof(uint32_t) == 0);
static_assert(sizeof(Address) % sizeof(uint32_t) == 0);

inline void StoreAddress(Address* in_slot, const Address& value) {
  uint32_t words[sizeof(Address) / sizeof(uint32_t)];
  std::memcpy(words, &value, sizeof(words));
  auto* to = reinterpret_cast<uint32_t*>(in_slot);
  for (size_t i = 0; i < sizeof(Address) / sizeof(uint32_t); ++i) {
    std::atomic_ref<uint32_t>(to[i]).store(words[i], std::memory_order_relaxed);
  }
}

inline Address LoadAddress(Address* in_slot) {
  uint32_t words[sizeof(Address) / sizeof(uint32_t)];
  auto* from = reinterpret_cast<uint32_t*>(in_slot);
  for (size_t i = 0; i < sizeof(Address) / sizeof(uint32_t); ++i) {
    words[i] = std::atomic_ref<uint32_t>(from[i]).load(std::memory_order_relaxed);
  }
  Address value;
  std::memcpy(&value, words, sizeof(value));
  return value;
}

}  // namespace netchannel::ipc
