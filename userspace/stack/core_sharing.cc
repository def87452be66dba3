// SPDX-License-Identifier: Apache-2.0
#include "stack/core_sharing.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/fence.h"
#include "ipc/futex.h"

namespace netchannel {
namespace {

// sched_setattr(2), its first form. glibc before 2.41 has none, and beside its <sched.h> the
// kernel's header does not compile.
struct SchedAttr {
  uint32_t size = sizeof(SchedAttr);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0, deadline = 0, period = 0;  // ns
};

}  // namespace

void CoreSharing::OnWork(Time now, size_t received, size_t moved) {
  looking_since_ = now;
  handed_on_ = received == 0;
  const bool little = handed_on_ && moved <= kLittle;
  if (now - gave_way_ >= kTurn || (little && FindSpinners(now) == Spinners::kElsewhere)) Yield();
}

void CoreSharing::OnIdle(Time now) {
  switch (FindSpinners(now)) {
    case Spinners::kNone:
      return Yield();
    case Spinners::kHere:
      MoveAway(now);
      return Yield();
    case Spinners::kElsewhere:
      if (handed_on_ || now - looking_since_ >= kLook) return Yield();
      ipc::SpinPause();
  }
}

CoreSharing::Spinners CoreSharing::FindSpinners(Time now) {
  const int core = sched_getcpu();
  if (core < 0 || core >= CPU_SETSIZE) return Spinners::kNone;
  bridge_->SetStackCore(static_cast<uint32_t>(core));
  bridge_->CollectSpinners(now, &spinners_);
  const bool spinners = CPU_COUNT(&spinners_) != 0;
  if (spinners == short_slices_) SetShortSlices(!spinners);
  if (!spinners) return Spinners::kNone;
  return CPU_ISSET(core, &spinners_) ? Spinners::kHere : Spinners::kElsewhere;
}

// Best effort. A thread of another policy keeps its own rules.
void CoreSharing::SetShortSlices(bool on) {
  short_slices_ = on;
  if (sched_getscheduler(0) != SCHED_OTHER) return;
  SchedAttr attributes;
  attributes.nice = getpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)));
  // Since Linux 6.12 the time slice, 0 the kernel's own; before, not looked at.
  attributes.runtime = on ? static_cast<uint64_t>(kTurn.nanos()) : 0;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void CoreSharing::MoveAway(Time now) {
  if (now < next_move_) return;
  next_move_ = now + kMovePeriod;
  cpu_set_t allowed, apart;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  // Those allowed that are not spinners'.
  CPU_AND(&apart, &allowed, &spinners_);
  CPU_XOR(&apart, &apart, &allowed);
  if (CPU_COUNT(&apart) == 0 || sched_setaffinity(0, sizeof(apart), &apart) != 0) return;
  sched_setaffinity(0, sizeof(allowed), &allowed);
}

void CoreSharing::Yield() {
  sched_yield();
  handed_on_ = false;
  gave_way_ = looking_since_ = ipc::MonotonicNow();
}

}  // namespace netchannel
