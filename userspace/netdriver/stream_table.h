// SPDX-License-Identifier: Apache-2.0
//
// What building a packet needs to know of each stream: its name on the wire, where its bytes are,
// and the latest value of each control fact. The virtual sockets write it, channels read it while
// they build packets. It exists so that retransmission never has to ask upwards.
//
// Owner: the stack makes one table a host; vns acquires, fills and releases entries. An entry whose
// generation differs from a handle's belongs to another stream: Find returns nullptr and the
// segment is forgotten. Thread: the thread that runs the host (one lease). Memory: fixed at
// construction.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ring_view.h"
#include "base/stream.h"

namespace netchannel {

struct StreamEntry {
  uint32_t generation = 0;  // odd while in use, even while free; never 0 after first use
  SessionHandle session;
  StreamId id = 0;
  RingView send;  // offsets [una, written) are readable
  StreamOffset receive_limit =
      0;                     // told by OPEN, ACCEPT and WINDOW: the peer may send bytes below it
  uint16_t source_port = 0;  // told by OPEN: the opener's port
  uint16_t destination_port = 0;  // told by OPEN: the acceptor's port
  AppClass app_class = AppClass::kThroughput;
  uint16_t reset_code = 0;  // told by RESET; wire/record.h ResetCode
};

class StreamTable {
 public:
  explicit StreamTable(uint32_t capacity) : entries_(capacity) {
    free_.reserve(capacity);
    for (uint32_t i = capacity; i > 0; --i) free_.push_back(i - 1);
  }

  // A fresh entry with all fields at their defaults; nullopt when the table is full.
  std::optional<StreamHandle> Acquire() {
    if (free_.empty()) return std::nullopt;
    const uint32_t slot = free_.back();
    free_.pop_back();
    const uint32_t generation = entries_[slot].generation + 1;
    entries_[slot] = StreamEntry{};
    entries_[slot].generation = generation | 1;
    return StreamHandle{slot, entries_[slot].generation};
  }

  // Precondition: `handle` is live. Outstanding segments of it are forgotten from here on.
  void Release(StreamHandle handle) {
    entries_[handle.slot].generation += 1;
    entries_[handle.slot].send = RingView{};
    free_.push_back(handle.slot);
  }

  StreamEntry* Find(StreamHandle handle) {
    if (handle.slot >= entries_.size()) return nullptr;
    StreamEntry& entry = entries_[handle.slot];
    return handle.valid() && entry.generation == handle.generation ? &entry : nullptr;
  }

  uint32_t capacity() const { return static_cast<uint32_t>(entries_.size()); }
  uint32_t in_use() const { return capacity() - static_cast<uint32_t>(free_.size()); }

 private:
  std::vector<StreamEntry> entries_;
  std::vector<uint32_t> free_;
};

}  // namespace netchannel
