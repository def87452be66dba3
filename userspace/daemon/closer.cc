// SPDX-License-Identifier: Apache-2.0
#include "daemon/closer.h"

#include <pthread.h>
#include <sched.h>

#include <utility>

#include "stack/signal_guard.h"

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
  if (!enough && state_->threads < kMaxThreads) StartThread(state_);
  state_->more.notify_one();
}

void Closer::StartThread(const std::shared_ptr<State>& state) {
  const BlockAllSignals block;  // the thread inherits it
  auto argument = std::make_unique<std::shared_ptr<State>>(state);
  const auto run = [](void* of) -> void* {
    const std::unique_ptr<std::shared_ptr<State>> own(static_cast<std::shared_ptr<State>*>(of));
    // The stack's thread, which has started this one, may be of real-time priority.
    const sched_param ordinary{};
    pthread_setschedparam(pthread_self(), SCHED_OTHER, &ordinary);
    Main(*own);
    return nullptr;
  };
  pthread_t thread;
  if (pthread_create(&thread, nullptr, run, argument.get()) != 0) return;
  argument.release();
  pthread_detach(thread);
  ++state->threads;
}

void Closer::Main(const std::shared_ptr<State>& state) {
  std::unique_lock<std::mutex> hold(state->mutex);
  while (!state->stopping || !state->waiting.empty()) {
    if (state->waiting.empty()) {
      if (state->idle > 0) break;  // one is enough while nothing comes
      ++state->idle;
      state->more.wait(hold, [&] { return state->stopping || !state->waiting.empty(); });
      --state->idle;
      continue;
    }
    {
      UniqueFd fd = std::move(state->waiting.front());
      state->waiting.pop_front();
      hold.unlock();
    }  // closed here
    hold.lock();
  }
  --state->threads;
}

}  // namespace netchannel
