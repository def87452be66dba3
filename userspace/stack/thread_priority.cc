// SPDX-License-Identifier: Apache-2.0
#include "stack/thread_priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace netchannel {
namespace {

id_t ThisThread() { return static_cast<id_t>(syscall(SYS_gettid)); }

// setrlimit keeps the hard limit where it may not be raised.
void RaiseSoftLimit(__rlimit_resource resource, rlim_t wanted) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur >= wanted) return;
  rlimit raised = {wanted, std::max(wanted, limit.rlim_max)};
  if (setrlimit(resource, &raised) == 0) return;
  raised = {std::min(wanted, limit.rlim_max), limit.rlim_max};
  setrlimit(resource, &raised);
}

}  // namespace

const char* SchedulingName(Scheduling scheduling) {
  switch (scheduling) {
    case Scheduling::kNormal:
      return "normal";
    case Scheduling::kNice:
      return "nice";
    case Scheduling::kRoundRobin:
      return "rr";
    case Scheduling::kFifo:
      return "fifo";
  }
  return "unknown";
}

bool ThreadPriority::Set(Scheduling scheduling, uint32_t priority) {
  sched_param param{};
  if (scheduling == Scheduling::kNormal || scheduling == Scheduling::kNice) {
    const int niceness = scheduling == Scheduling::kNice ? -static_cast<int>(priority) : 0;
    // Niceness is a thread's own on Linux, whatever setpriority(2) of POSIX says.
    return sched_setscheduler(0, SCHED_OTHER, &param) == 0 &&
           setpriority(PRIO_PROCESS, ThisThread(), niceness) == 0;
  }
  param.sched_priority = static_cast<int>(priority);
  const int policy = scheduling == Scheduling::kFifo ? SCHED_FIFO : SCHED_RR;
  // Children are ordinary threads.
  return sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &param) == 0;
}

void ThreadPriority::TryOrExplain(Scheduling scheduling, uint32_t priority) {
  if (Set(scheduling, priority)) {
    status_.scheduling = scheduling;
    status_.priority = priority;
    return;
  }
  absl::StrAppend(&status_.why, status_.why.empty() ? "" : "; ", SchedulingName(scheduling), " ",
                  priority, ": ", std::strerror(errno), " (it needs CAP_SYS_NICE or a limit: ",
                  scheduling == Scheduling::kNice ? "LimitNICE" : "LimitRTPRIO",
                  scheduling == Scheduling::kNice
                      ? ")"
                      : ", and real-time run time in its cgroup where the kernel has that)");
}

void ThreadPriority::Raise(Time now) {
  running_since_ = now;
  if (config_.scheduling == Scheduling::kNormal) return;
  const bool real_time = config_.scheduling != Scheduling::kNice;
  if (real_time && config_.limit_process) LimitProcess();
  TryOrExplain(config_.scheduling, real_time ? config_.priority : std::min(config_.priority, 20u));
  if (!raised() && real_time) TryOrExplain(Scheduling::kNice, kFallbackNiceness);
}

// Before the priority: the kernel counts from there.
void ThreadPriority::LimitProcess() {
  rlimit limit;
  if (getrlimit(RLIMIT_RTTIME, &limit) != 0) return;
  const auto budget = static_cast<rlim_t>((config_.budget * kKernelBudgets).micros());
  const rlimit lowered = {std::min(budget, limit.rlim_max), std::min(2 * budget, limit.rlim_max)};
  setrlimit(RLIMIT_RTTIME, &lowered);
}

void ThreadPriority::Lower() {
  spent_ = true;
  ++status_.budgets_spent;
  Set(Scheduling::kNormal, 0);
}

// In front of the sleep, so that the thread wakes with priority; and the kernel's count of
// RLIMIT_RTTIME begins anew at a real-time thread's waking only.
void ThreadPriority::Restore() {
  spent_ = false;
  if (!Set(status_.scheduling, status_.priority)) {
    absl::StrAppend(&status_.why, status_.why.empty() ? "" : "; ",
                    "restore: ", std::strerror(errno));
    status_.scheduling = Scheduling::kNormal;
    status_.priority = 0;
  }
}

void PermitThreadPriority(const ThreadPriorityConfig& config) {
  if (config.scheduling == Scheduling::kNormal) return;
  // getrlimit(2): a niceness of -n takes a limit of 20 + n.
  const bool nice = config.scheduling == Scheduling::kNice;
  RaiseSoftLimit(RLIMIT_NICE, 20 + (nice ? std::min(config.priority, 20u) : 10u));
  if (!nice) RaiseSoftLimit(RLIMIT_RTPRIO, config.priority);
}

}  // namespace netchannel
