// SPDX-License-Identifier: Apache-2.0
#include "daemon/region_releaser.h"

#include <utility>

#include "daemon/helper_thread.h"

namespace netchannel {

void RegionReleaser::Release(ipc::Region region, uid_t user) {
  const std::lock_guard<std::mutex> hold(state_->mutex);
  state_->waiting.push_back({std::move(region), user});
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
    one.region.ReleaseInPieces();
    hold.lock();
    state.released.push_back(one.user);
    state.has_released.store(true, std::memory_order_relaxed);
  }
  state.runs = false;
}

}  // namespace netchannel
