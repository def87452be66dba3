// SPDX-License-Identifier: Apache-2.0
#include "daemon/helper_thread.h"

#include <pthread.h>
#include <sched.h>

#include <memory>
#include <utility>

#include "stack/signal_guard.h"

namespace netchannel {

bool StartHelperThread(std::function<void()> run) {
  const BlockAllSignals block;  // the thread inherits it
  auto argument = std::make_unique<std::function<void()>>(std::move(run));
  const auto begin = [](void* of) -> void* {
    const std::unique_ptr<std::function<void()>> own(static_cast<std::function<void()>*>(of));
    // The stack's thread, which has started this one, may be of real-time priority.
    const sched_param ordinary{};
    pthread_setschedparam(pthread_self(), SCHED_OTHER, &ordinary);
    (*own)();
    return nullptr;
  };
  pthread_t thread;
  if (pthread_create(&thread, nullptr, begin, argument.get()) != 0) return false;
  argument.release();
  pthread_detach(thread);
  return true;
}

}  // namespace netchannel
