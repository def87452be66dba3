// SPDX-License-Identifier: Apache-2.0
#include "netdriver/lane_set.h"

#include <algorithm>

#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/packet_layout.h"
#include "wire/udp.h"

namespace netchannel {

LaneSet::LaneSet(absl::Span<Lane* const> lanes) {
  lanes_.reserve(lanes.size());
  for (Lane* lane : lanes) {
    const bool latency = lane->info().app_class == static_cast<uint8_t>(AppClass::kLatency);
    const AppClass app_class = latency ? AppClass::kLatency : AppClass::kThroughput;
    lanes_.push_back(State{.lane = lane, .via = size(), .app_class = app_class, .occupancy = {}});
  }
  SortByClass();
}

void LaneSet::SetClass(uint32_t lane, AppClass app_class) {
  lanes_[lane].app_class = app_class;
  SortByClass();
}

void LaneSet::SortByClass() {
  for (auto& own : by_class_) own.clear();
  for (uint32_t i = 0; i < size(); ++i) {
    by_class_[static_cast<size_t>(lanes_[i].app_class)].push_back(i);
  }
  for (auto& own : by_class_) {
    if (!own.empty()) continue;
    for (uint32_t i = 0; i < size(); ++i) own.push_back(i);
  }
}

ByteCount LaneSet::MaxPacketSize(bool is_v4) const {
  const ByteCount headers =
      (is_v4 ? wire::kIpv4HeaderSize : wire::kIpv6HeaderSize) + wire::kUdpHeaderSize;
  ByteCount smallest = wire::kMaxPacketSize;
  for (const State& state : lanes_) {
    const ByteCount mtu = state.lane->info().mtu;
    smallest = std::min(smallest, mtu > headers ? mtu - headers : 0);
  }
  return smallest;
}

uint32_t LaneSet::RxCapacity(uint32_t unknown) const {
  uint32_t smallest = 0;
  for (const State& state : lanes_) {
    const uint32_t capacity = state.lane->info().rx_capacity;
    if (capacity != 0) smallest = smallest == 0 ? capacity : std::min(smallest, capacity);
  }
  return smallest != 0 ? smallest : std::max(unknown, 1u);
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
    state.occupancy.polls += state.used ? 1 : 0;
    state.occupancy.full += state.used && state.blocked ? 1 : 0;
    state.used = false;
  }
}

}  // namespace netchannel
