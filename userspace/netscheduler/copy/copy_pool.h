// SPDX-License-Identifier: Apache-2.0
//
// A pool of copy workers of this process: queues and the threads that serve them.
//
// A worker sleeps in a futex when it has nothing to do and is woken only then. Signals are
// blocked in it: they are for the program's threads. It is named nc-copy-N, so that its share of a
// core can be limited from outside.
//
// Owner: whoever made it, who outlives all calls that use it. In a forked child the threads are not
// there and the pool must not be touched, not even destroyed. Thread: any. Errors: Create says what
// is missing, and nothing is left of it.
#pragma once

#include <pthread.h>

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "ipc/abi.h"
#include "netscheduler/copy/copy_queues.h"

namespace netchannel {

class CopyPool {
 public:
  // Precondition: settings.workers > 0. An unknown policy's number stands for round robin.
  static absl::StatusOr<std::unique_ptr<CopyPool>> Create(const ipc::CopySettings& settings);
  // Precondition: no call uses it.
  ~CopyPool();
  CopyPool(const CopyPool&) = delete;
  CopyPool& operator=(const CopyPool&) = delete;

  CopyQueues& queues() { return queues_; }

 private:
  CopyPool(std::unique_ptr<CopyPolicy> policy, std::vector<int> cores,
           const ipc::CopySettings& settings);
  absl::Status Start();
  void Serve(uint32_t worker);

  const std::vector<int> cores_;
  const bool checked_;
  CopyQueues queues_;
  std::vector<pthread_t> threads_;
};

// Workers where the configuration does not say: none below 4 cores, where every core has something
// better to do; else a core of four, and no more than the paper has for 200 Gbit/s.
uint32_t DefaultCopyWorkers();

}  // namespace netchannel
