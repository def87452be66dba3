// SPDX-License-Identifier: Apache-2.0
#include "daemon/closer.h"

#include <utility>

#include "daemon/helper_thread.h"

namespace netchannel {

Closer::Closer() : state_(std::make_shared<State>()) {}

Closer::~Closer() {
  const std::lock_guard<std::mutex> hold(state_->mutex);
  state_->stopping = true;
  state_->more.notify_all();
}

void Closer::Close(UniqueFd fd) {
  if (!fd.valid()) return;
  const std::lock_guard<std::mutex> hold(state_->mutex);
  state_->waiting.push_back(std::move(fd));
  const bool enough = static_cast<size_t>(state_->idle) >= state_->waiting.size();
  if (!enough && state_->threads < kMaxThreads) {
    state_->threads += StartHelperThread([state = state_] { Main(*state); }) ? 1 : 0;
  }
  state_->more.notify_one();
}

void Closer::Main(State& state) {
  std::unique_lock<std::mutex> hold(state.mutex);
  while (!state.stopping || !state.waiting.empty()) {
    if (state.waiting.empty()) {
      if (state.idle > 0) break;  // one is enough while nothing comes
      ++state.idle;
      state.more.wait(hold, [&] { return state.stopping || !state.waiting.empty(); });
      --state.idle;
      continue;
    }
    {
      UniqueFd fd = std::move(state.waiting.front());
      state.waiting.pop_front();
      hold.unlock();
    }  // closed here
    hold.lock();
  }
  --state.threads;
}

}  // namespace netchannel
