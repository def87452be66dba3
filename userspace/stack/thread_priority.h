// SPDX-License-Identifier: Apache-2.0
//
// The priority of the stack's own thread, bounded by a budget. One thread serves both classes, the
// latency one first, so its priority is what stands between latency traffic and the programs of the
// host (design.md: on few cores one thread beats a thread a class).
//
// Raised, it runs before ordinary threads as soon as it wakes. When it has not slept for the budget
// it goes on with ordinary priority until it does: a stack that bulk traffic keeps busy must not
// keep a core from the programs that it serves. Behind that stands the kernel's own limit,
// RLIMIT_RTTIME at kKernelBudgets budgets, where the whole process may have it (netchanneld): a
// thread that hangs at real-time priority ends with the process, and the service manager starts it
// anew.
//
// What is not permitted falls back, real time to niceness and niceness to ordinary, and status()
// says why. Never raised: the application threads that run an embedded stack (they are their
// program's).
//
// Owner: Runner. Thread: all on the thread whose priority it is, under the lease; status() of
// others under the lease. Cost: two system calls when a budget is spent, else a comparison a check.
#pragma once

#include <cstdint>
#include <string>

#include "base/units.h"

namespace netchannel {

enum class Scheduling : uint8_t { kNormal, kNice, kRoundRobin, kFifo };
const char* SchedulingName(Scheduling scheduling);  // "normal", "nice", "rr", "fifo"

struct ThreadPriorityConfig {
  Scheduling scheduling = Scheduling::kNormal;
  uint32_t priority = 1;  // of kFifo and kRoundRobin: 1 to 99; of kNice: the niceness below 0
  Duration budget = Duration::Millis(50);
  bool limit_process = false;  // sets RLIMIT_RTTIME
};

class ThreadPriority {
 public:
  explicit ThreadPriority(const ThreadPriorityConfig& config) : config_(config) {}

  // When the thread begins.
  void Raise(Time now);
  // The thread is about to sleep, and has slept.
  void BeforeSleep() {
    if (spent_) Restore();
  }
  void AfterSleep(Time now) { running_since_ = now; }
  // Now and then while it runs.
  void Check(Time now) {
    if (raised() && !spent_ && now - running_since_ > config_.budget) Lower();
  }

  struct Status {
    Scheduling scheduling = Scheduling::kNormal;  // what it came to
    uint32_t priority = 0;
    std::string why;             // not what was asked for; empty: it is
    uint64_t budgets_spent = 0;  // times that it went on with ordinary priority
  };
  const Status& status() const { return status_; }

 private:
  static constexpr int kKernelBudgets = 8;
  static constexpr int kFallbackNiceness = 10;  // of who may not have real time

  bool raised() const { return status_.scheduling != Scheduling::kNormal; }
  // False and errno: not permitted.
  bool Set(Scheduling scheduling, uint32_t priority);
  void TryOrExplain(Scheduling scheduling, uint32_t priority);
  void LimitProcess();
  void Lower();
  void Restore();

  const ThreadPriorityConfig config_;
  Status status_;
  Time running_since_;
  bool spent_ = false;
};

// Lets threads of this process raise themselves later, when it has given up its privileges.
// Best effort: what is missing shows in status().
void PermitThreadPriority(const ThreadPriorityConfig& config);

}  // namespace netchannel
