// SPDX-License-Identifier: Apache-2.0
#include "netdriver/lane_set.h"

namespace netchannel {

LaneSet::LaneSet(absl::Span<Lane* const> lanes) {
  lanes_.reserve(lanes.size());
  for (Lane* lane : lanes) {
    const bool latency = lane->info().app_class == static_cast<uint8_t>(AppClass::kLatency);
    const AppClass app_class = latency ? AppClass::kLatency : AppClass::kThroughput;
    by_class_[static_cast<size_t>(app_class)].push_back(size());
    lanes_.push_back(State{lane});
  }
  for (auto& own : by_class_) {
    if (!own.empty()) continue;
    for (uint32_t i = 0; i < size(); ++i) own.push_back(i);
  }
}

absl::Span<std::byte> LaneSet::ReserveAfterFlush(State& state) {
  state.unflushed = !state.lane->Flush();
  const absl::Span<std::byte> buffer = state.lane->Reserve();
  state.blocked = buffer.empty();
  return buffer;
}

void LaneSet::BeginPoll() {
  for (State& state : lanes_) state.blocked = false;
}

void LaneSet::FlushAll() {
  needs_poll_ = false;
  for (State& state : lanes_) {
    if (state.unflushed) state.unflushed = !state.lane->Flush();
    needs_poll_ |= state.unflushed || state.blocked;
  }
}

}  // namespace netchannel
