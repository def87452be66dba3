// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/copy/copy_pool.h"

#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace netchannel {
namespace {

constexpr uint32_t kCoresPerWorker = 4;
constexpr uint32_t kMostByDefault = 3;
// A worker's frames are a few hundred bytes; glibc's minimum holds the thread-local storage too.
constexpr size_t kStackBytes = 256 * 1024;

// A core a worker, from those that the process may use, going round.
std::vector<int> CoresFor(uint32_t workers, bool pinned) {
  std::vector<int> cores(workers, CopyQueues::kAnyCore);
  cpu_set_t allowed;
  if (!pinned || sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return cores;
  std::vector<int> all;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) all.push_back(core);
  }
  for (uint32_t i = 0; i < workers && !all.empty(); ++i) cores[i] = all[i % all.size()];
  return cores;
}

void PinThisThread(int core) {
  if (core == CopyQueues::kAnyCore) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  sched_setaffinity(0, sizeof(one), &one);  // where that is forbidden, it runs where it may
}

}  // namespace

absl::StatusOr<std::unique_ptr<CopyPool>> CopyPool::Create(const ipc::CopySettings& settings) {
  if (settings.checked != 0 && !CanCheckCopies()) {
    return absl::PermissionDeniedError(
        "copy workers: process_vm_readv is forbidden here; permit it, or set copy.checked=false");
  }
  const CopyPolicyEntry* entry = FindCopyPolicy(settings.policy);
  auto policy = entry != nullptr ? entry->make() : CopyPolicies().front().make();
  const uint32_t workers = std::min(settings.workers, kMaxCopyWorkers);
  std::vector<int> cores = CoresFor(workers, policy->pins_workers());
  auto pool =
      std::unique_ptr<CopyPool>(new CopyPool(std::move(policy), std::move(cores), settings));
  if (absl::Status status = pool->Start(); !status.ok()) return status;
  return pool;
}

CopyPool::CopyPool(std::unique_ptr<CopyPolicy> policy, std::vector<int> cores,
                   const ipc::CopySettings& settings)
    : cores_(cores),
      checked_(settings.checked != 0),
      queues_(std::move(policy), std::move(cores), settings.worker_backlog) {}

absl::Status CopyPool::Start() {
  struct Seat {
    CopyPool* pool;
    uint32_t worker;
  };
  // What the program's signals are for is the program's threads; but what a worker itself breaks
  // (an unchecked copy) is to be seen by the program's handlers.
  sigset_t all, before;
  sigfillset(&all);
  for (const int own : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) sigdelset(&all, own);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  int error = 0;
  for (uint32_t worker = 0; worker < queues_.workers() && error == 0; ++worker) {
    auto seat = std::make_unique<Seat>(Seat{this, worker});
    pthread_t thread;
    error = pthread_create(
        &thread, &attributes,
        [](void* argument) -> void* {
          const std::unique_ptr<Seat> own(static_cast<Seat*>(argument));
          own->pool->Serve(own->worker);
          return nullptr;
        },
        seat.get());
    if (error != 0) break;
    [[maybe_unused]] const Seat* const taken = seat.release();  // the thread's now
    threads_.push_back(thread);
  }
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("copy workers: cannot start thread ", threads_.size(), ": ",
                   std::strerror(error), "; raise the limit of threads, or set copy.workers=0"));
}

CopyPool::~CopyPool() {
  queues_.Stop();
  for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
}

void CopyPool::Serve(uint32_t worker) {
  char name[16];
  std::snprintf(name, sizeof(name), "nc-copy-%u", worker);
  pthread_setname_np(pthread_self(), name);
  PinThisThread(cores_[worker]);
  while (!queues_.stopped()) {
    while (const auto ticket = queues_.Take(worker)) {
      queues_.Finish(worker, *ticket, CopyOf(queues_.piece(*ticket), checked_));
    }
    queues_.Sleep(worker);
  }
}

uint32_t DefaultCopyWorkers() {
  return std::min(std::thread::hardware_concurrency() / kCoresPerWorker, kMostByDefault);
}

}  // namespace netchannel
