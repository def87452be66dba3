// SPDX-License-Identifier: Apache-2.0
//
// The lanes of a host as the transmit side sees them: which one a channel of a class uses, which
// ones hold packets that were not flushed, and which ones have no buffer for now.
//
// A lane without a buffer is flushed once (that takes completions back); if that does not help it
// is blocked until the next BeginPoll, so that a full device costs one attempt a poll, not one a
// channel.
//
// Owner: the driver. Thread: the one that runs it. Errors: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/stream.h"
#include "netdriver/device.h"

namespace netchannel {

class LaneSet {
 public:
  explicit LaneSet(absl::Span<Lane* const> lanes);

  uint32_t size() const { return static_cast<uint32_t>(lanes_.size()); }
  const LaneInfo& info(uint32_t lane) const { return lanes_[lane].lane->info(); }

  // The lane of the `n`th channel of a class: its class's lanes in turn, which are on different
  // queues. A class without lanes of its own shares the others'. Precondition: size() > 0.
  uint32_t Pick(AppClass app_class, uint32_t n) const {
    const auto& lanes = by_class_[static_cast<size_t>(app_class)];
    return lanes[n % lanes.size()];
  }

  // Changes while traffic flows. The class counts for channels to come; what exists keeps what both
  // ends agreed on.
  void SetClass(uint32_t lane, AppClass app_class);
  // From here on the lane's packets leave through `via`'s socket; its own index: through its own.
  void Route(uint32_t lane, uint32_t via) { lanes_[lane].via = via; }
  AppClass class_of(uint32_t lane) const { return lanes_[lane].app_class; }
  uint32_t via(uint32_t lane) const { return lanes_[lane].via; }

  // The largest NetChannel packet that every lane can carry.
  ByteCount MaxPacketSize(bool is_v4) const;
  // Packets that the smallest lane holds; `unknown` when no lane says.
  uint32_t RxCapacity(uint32_t unknown) const;

  // Room for one frame, or empty when the lane is blocked.
  absl::Span<std::byte> Reserve(uint32_t lane) {
    State& state = lanes_[lanes_[lane].via];
    if (state.blocked) return {};
    state.used = true;
    const absl::Span<std::byte> buffer = state.lane->Reserve();
    if (!buffer.empty()) return buffer;
    return ReserveAfterFlush(state);
  }
  void Submit(uint32_t lane, size_t length) {
    State& state = lanes_[lanes_[lane].via];
    state.lane->Submit(length);
    state.unflushed = true;
  }

  // Polls since the beginning in which the lane was sent on, and those in which it had no buffer.
  struct Occupancy {
    uint64_t polls = 0, full = 0;
  };
  Occupancy occupancy(uint32_t lane) const { return lanes_[lane].occupancy; }

  // Lanes that were blocked may have buffers again.
  void BeginPoll();
  void FlushAll();
  // Something was left behind: a lane is blocked, or must be flushed again.
  bool needs_poll() const { return needs_poll_; }

 private:
  struct State {
    Lane* lane;
    uint32_t via;  // index of the lane whose socket its packets leave through
    AppClass app_class;
    bool unflushed = false;
    bool blocked = false;
    bool used = false;  // in this poll
    Occupancy occupancy;
  };

  void SortByClass();
  absl::Span<std::byte> ReserveAfterFlush(State& state);

  std::vector<State> lanes_;
  std::array<std::vector<uint32_t>, kAppClasses> by_class_;
  bool needs_poll_ = false;
};

}  // namespace netchannel
