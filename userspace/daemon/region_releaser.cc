// SPDX-License-Identifier: Apache-2.0
#include "daemon/region_releaser.h"

#include <fcntl.h>

#include <utility>

#include "daemon/helper_thread.h"

namespace netchannel {
namespace {

// The rings alone: the library still reads the rest, and learns from it that it was disconnected.
void EmptyRings(const ipc::Region& region) {
  const ipc::RegionLayout& layout = region.view().layout();
  fallocate(region.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
            static_cast<off_t>(layout.buffers_offset),
            static_cast<off_t>(layout.region_size - layout.buffers_offset));
}

}  // namespace

void RegionReleaser::Release(ipc::Region region, uid_t user, bool empty) {
  const std::lock_guard<std::mutex> hold(state_->mutex);
  state_->waiting.push_back({std::move(region), user, empty});
  if (!state_->runs) state_->runs = StartHelperThread([state = state_] { Main(*state); });
}

std::vector<uid_t> RegionReleaser::TakeReleased() {
  if (!state_->has_released.load(std::memory_order_relaxed)) return {};
  const std::lock_guard<std::mutex> hold(state_->mutex);
  state_->has_released.store(false, std::memory_order_relaxed);
  return std::exchange(state_->released, {});
}

void RegionReleaser::Main(State& state) {
  std::unique_lock<std::mutex> hold(state.mutex);
  while (!state.waiting.empty()) {
    Waiting one = std::move(state.waiting.front());
    state.waiting.pop_front();
    hold.unlock();
    if (one.empty) EmptyRings(one.region);
    one.region.ReleaseInPieces();
    hold.lock();
    state.released.push_back(one.user);
    state.has_released.store(true, std::memory_order_relaxed);
  }
  state.runs = false;
}

}  // namespace netchannel
