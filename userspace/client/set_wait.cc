// SPDX-License-Identifier: Apache-2.0
//
// Waiting on a set.
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "client/process.h"
#include "client/set.h"
#include "ipc/futex.h"

namespace {

using netchannel::Duration;
using netchannel::SetMember;
using netchannel::SetPart;
using netchannel::Time;

}  // namespace

// Under the mutex. Bounded by the rings.
void nc_set::Drain() {
  ForEachPart([&](SetPart* part) { part->Drain(&ready_); });
}

unsigned nc_set::Look(const SetMember& member) {
  const unsigned wanted = member.wanted();
  if (wanted == 0) return 0;
  const unsigned ready = netchannel::Readiness(member.socket) & wanted;
  const bool lacks_room = (wanted & ~ready & NC_WRITE) != 0;
  // The stack is to tell of room; it does not tell what has come before it was asked.
  if (!lacks_room || netchannel::AwaitRoom(member.socket)) return ready;
  return netchannel::Readiness(member.socket) & wanted;
}

// Under the mutex. Looks at each listed member at most once.
int nc_set::Collect(nc_event* events, int capacity, bool* more) {
  int count = 0;
  for (size_t left = ready_.size(); left > 0; --left) {
    if (count == capacity) {
      *more = true;
      break;
    }
    SetMember* member = ready_.front();
    ready_.Remove(member);
    const unsigned ready = Look(*member);
    if (ready == 0) continue;
    if ((member->events & NC_ONESHOT) != 0) {
      member->armed = false;
      member->part->Tell(*member);
    } else if ((member->events & NC_EDGE) == 0) {
      ready_.PushBack(member);
    }
    events[count++] = {member->socket, ready, member->data};
  }
  return count;
}

// For those who wait: the list has changed.
void nc_set::KickAndUnlock(std::unique_lock<std::mutex>* lock) {
  kicks_.fetch_add(1, std::memory_order_seq_cst);
  const Inside inside(this);
  lock->unlock();
  Kick();
}

// Precondition: Inside.
void nc_set::Kick() {
  const bool polled = exported_.load(std::memory_order_seq_cst) &&
                      emptied_.load(std::memory_order_seq_cst) &&
                      emptied_.exchange(false, std::memory_order_seq_cst);
  if (polled || sleeping_.load(std::memory_order_seq_cst) != 0) eventfd_write(event_fd_, 1);
  if (lent_.load(std::memory_order_seq_cst) == 0) return;
  // A lent thread asleep in the stack asks its condition when the stack wakes.
  ForEachPart([](SetPart* part) {
    if (part->home()->header->stack_sleeping.load(std::memory_order_seq_cst) != 0) {
      part->home()->link->Wake();
    }
  });
}

bool nc_set::AllGone() const {
  bool any = false, all = true;
  ForEachPart([&](SetPart* part) {
    any = true;
    all = all && part->home()->gone();
  });
  return any && all;
}

bool nc_set::HasNews(uint32_t seen_kicks) const {
  bool news = kicks_.load(std::memory_order_seq_cst) != seen_kicks;
  ForEachPart([&](SetPart* part) { news = news || part->HasNews(); });
  return news;
}

int nc_set::Wait(nc_event* events, int capacity, Time deadline) {
  const Inside inside(this);
  bool emptied = false;
  for (;;) {
    const uint32_t kicks = kicks_.load(std::memory_order_seq_cst);
    bool more = false, gone = false;
    int count = 0;
    {
      const std::lock_guard lock(mutex_);
      if (const int error = EnsureOwn(); error != 0) return -error;
      gone = AllGone();
      Drain();
      count = Collect(events, capacity, &more);
    }
    if (count > 0) {
      // The descriptor was emptied, and what is ready stays ready.
      if (emptied && exported_.load(std::memory_order_relaxed)) eventfd_write(event_fd_, 1);
      if (more && sleeping_.load(std::memory_order_seq_cst) != 0) {
        // Others that sleep here were not told of the rest.
        kicks_.fetch_add(1, std::memory_order_seq_cst);
        Kick();
      }
      return count;
    }
    if (gone) return -ENETDOWN;
    if (!deadline.is_infinite() && netchannel::ipc::MonotonicNow() >= deadline) {
      if (PrepareExport(kicks)) return 0;
      emptied = true;
      continue;
    }
    emptied = true;
    if (const int error = Sleep(kicks, deadline); error != 0) return -error;
  }
}

// The caller looks for news next.
void nc_set::EmptyDescriptor() {
  eventfd_t ignored;
  eventfd_read(event_fd_, &ignored);
  emptied_.store(true, std::memory_order_seq_cst);
}

bool nc_set::PrepareExport(uint32_t seen_kicks) {
  if (!exported_.load(std::memory_order_relaxed)) return true;
  EmptyDescriptor();
  ForEachPart([](SetPart* part) { part->Arm(); });
  return !HasNews(seen_kicks);
}

int nc_set::Sleep(uint32_t seen_kicks, Time deadline) {
  const SetPart* only = parts_.load(std::memory_order_acquire);
  if (only == nullptr || only->next.load(std::memory_order_acquire) != nullptr ||
      only->home()->shareable()) {
    return SleepOnDescriptor(seen_kicks, deadline);
  }
  struct Waiting {
    const nc_set* set;
    uint32_t kicks;
  } waiting = {this, seen_kicks};
  const auto done = [](void* argument) {
    const auto* seen = static_cast<Waiting*>(argument);
    return seen->set->HasNews(seen->kicks);
  };
  lent_.fetch_add(1, std::memory_order_seq_cst);
  const auto lent = only->home()->link->Lend(done, &waiting, deadline, false);
  lent_.fetch_sub(1, std::memory_order_seq_cst);
  switch (lent) {
    case netchannel::ipc::LendResult::kRan:
      return 0;
    case netchannel::ipc::LendResult::kInterrupted:
    case netchannel::ipc::LendResult::kRestartable:
      return done(&waiting) ? 0 : EINTR;
    case netchannel::ipc::LendResult::kUnavailable:
      break;
  }
  return SleepOnDescriptor(seen_kicks, deadline);
}

int nc_set::SleepOnDescriptor(uint32_t seen_kicks, Time deadline) {
  pollfd poll_fd = {event_fd_, POLLIN, 0};
  std::optional<netchannel::Attending> attending;
  sleeping_.fetch_add(1, std::memory_order_seq_cst);
  ForEachPart([&](SetPart* part) {
    // More than one embedded stack in a set is rare; the first is attended to, the others' own
    // threads look within 20 ms, as ever (stack/standby_timer.h).
    if (!part->home()->shareable() && !attending) attending.emplace(part->home().get());
    part->Arm();
  });
  int error = 0;
  if (!HasNews(seen_kicks)) {
    timespec left{};
    if (!deadline.is_infinite()) {
      const Duration rest = deadline - netchannel::ipc::MonotonicNow();
      if (rest > Duration::Zero()) left = netchannel::ipc::ToTimespec(rest);
    }
    // poll() of POSIX ends with EINTR whatever SA_RESTART says, and so does this.
    const int result = ppoll(&poll_fd, 1, deadline.is_infinite() ? nullptr : &left, nullptr);
    if (result < 0) error = errno;
  }
  EmptyDescriptor();
  // The stacks' one signal is spent, perhaps on us: the others need a new one.
  const bool others = sleeping_.fetch_sub(1, std::memory_order_seq_cst) > 1 ||
                      exported_.load(std::memory_order_relaxed);
  ForEachPart([&](SetPart* part) { others ? part->Arm() : part->Disarm(); });
  return HasNews(seen_kicks) ? 0 : error;
}

extern "C" int nc_set_wait(nc_set* set, struct nc_event* events, int capacity, int timeout_ms) {
  if (events == nullptr || capacity <= 0) return netchannel::Fail(EINVAL);
  const Time deadline = timeout_ms < 0
                            ? Time::Infinite()
                            : netchannel::ipc::MonotonicNow() + Duration::Millis(timeout_ms);
  const int count = set->Wait(events, capacity, deadline);
  return count >= 0 ? count : netchannel::Fail(-count);
}
