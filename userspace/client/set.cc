// SPDX-License-Identifier: Apache-2.0
#include "client/set.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <new>

#include "ipc/fence.h"
#include "ipc/futex.h"

namespace {

using netchannel::Duration;
using netchannel::Time;

// Always reported, asked for or not.
constexpr unsigned kAlways = NC_HANGUP | NC_FAILED;
constexpr unsigned kAllEvents = NC_READ | NC_WRITE | kAlways;

}  // namespace

void ReadyList::PushBack(nc_socket* socket) {
  netchannel::SetMember& member = socket->member;
  if (member.listed) return;
  member.listed = true;
  member.next = nullptr;
  member.previous = tail_;
  (tail_ != nullptr ? tail_->member.next : head_) = socket;
  tail_ = socket;
  ++size_;
}

void ReadyList::Remove(nc_socket* socket) {
  netchannel::SetMember& member = socket->member;
  if (!member.listed) return;
  member.listed = false;
  (member.previous != nullptr ? member.previous->member.next : head_) = member.next;
  (member.next != nullptr ? member.next->member.previous : tail_) = member.previous;
  --size_;
}

nc_set::nc_set(nc_stack* its_stack, uint32_t its_index)
    : stack_(its_stack), index_(its_index), ring_(its_stack->region, its_index) {
  ring_.Disarm();
  ring_.Clear();
}

nc_set::~nc_set() {
  for (auto& [index, socket] : members_) {
    socket->slot->wait_set.store(netchannel::ipc::kNoIndex, std::memory_order_seq_cst);
    ready_.Remove(socket);
    socket->set.store(nullptr, std::memory_order_release);
  }
}

void nc_set::Destroy() {
  nc_stack* const stack = stack_;
  const uint32_t index = index_;
  {
    const std::lock_guard lock(stack->open_mutex);
    stack->open_sets.erase(this);
  }
  if (exported_.load(std::memory_order_relaxed)) {
    stack->header->sleepers.fetch_sub(1, std::memory_order_relaxed);
  }
  delete this;
  stack->region.wait_set(index)->in_use.store(0, std::memory_order_release);
}

int nc_set::Watch(nc_socket* socket, unsigned events, void* data) {
  if ((events & ~kAllEvents) != 0) return EINVAL;
  {
    const std::lock_guard lock(mutex_);
    nc_set* current = nullptr;
    if (!socket->set.compare_exchange_strong(current, this, std::memory_order_acq_rel) &&
        current != this) {
      return EBUSY;
    }
    // Entries from before the socket was last removed go now, while it is not a member: see
    // ipc/abi.h.
    Drain();
    members_[socket->index] = socket;
    socket->member.events = events;
    socket->member.data = data;
    netchannel::ipc::SocketSlot* slot = socket->slot;
    slot->queued.store(1, std::memory_order_seq_cst);
    slot->interest.store(
        events & (netchannel::ipc::kInterestRead | netchannel::ipc::kInterestWrite),
        std::memory_order_seq_cst);
    slot->wait_set.store(index_, std::memory_order_seq_cst);
    ready_.PushBack(socket);
  }
  Kick();
  return 0;
}

int nc_set::Remove(nc_socket* socket) {
  const std::lock_guard lock(mutex_);
  if (socket->set.load(std::memory_order_acquire) != this) return ENOENT;
  socket->slot->wait_set.store(netchannel::ipc::kNoIndex, std::memory_order_seq_cst);
  socket->slot->interest.store(0, std::memory_order_seq_cst);
  ready_.Remove(socket);
  members_.erase(socket->index);
  socket->set.store(nullptr, std::memory_order_release);
  return 0;
}

void nc_set::Recheck(nc_socket* socket) {
  {
    const std::lock_guard lock(mutex_);
    if (socket->set.load(std::memory_order_acquire) != this) return;
    socket->slot->queued.store(1, std::memory_order_seq_cst);
    ready_.PushBack(socket);
  }
  Kick();
}

// Precondition: the mutex. Bounded by the ring.
void nc_set::Drain() {
  while (const auto index = ring_.Pop()) {
    const auto found = members_.find(*index);
    if (found != members_.end()) ready_.PushBack(found->second);
  }
}

unsigned nc_set::Look(nc_socket* socket) const {
  return netchannel::Readiness(socket) & (socket->member.events | kAlways);
}

// Precondition: the mutex. Looks at each listed socket at most once.
int nc_set::Collect(nc_event* events, int capacity) {
  int count = 0;
  for (size_t left = ready_.size(); left > 0 && count < capacity; --left) {
    nc_socket* socket = ready_.front();
    ready_.Remove(socket);
    unsigned ready = Look(socket);
    if (ready == 0) {
      // From here on the stack pushes it again; what it published before is seen by looking at
      // `event`.
      socket->slot->queued.store(0, std::memory_order_seq_cst);
      socket->slot->event.load(std::memory_order_seq_cst);
      ready = Look(socket);
      if (ready == 0) continue;
      socket->slot->queued.store(1, std::memory_order_seq_cst);
    }
    ready_.PushBack(socket);
    events[count++] = {socket, ready, socket->member.data};
  }
  return count;
}

void nc_set::Kick() {
  kicks_.fetch_add(1, std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_seq_cst) != 0 || exported_.load(std::memory_order_seq_cst)) {
    eventfd_write(stack_->link->WaitSetFd(index_), 1);
  }
  // A lent thread asleep in the stack asks its condition when the stack wakes.
  if (waiting_.load(std::memory_order_seq_cst) != 0 &&
      stack_->header->stack_sleeping.load(std::memory_order_seq_cst) != 0) {
    stack_->link->Wake();
  }
}

bool nc_set::HasNews(uint32_t seen_kicks) const {
  return ring_.HasEntry() || kicks_.load(std::memory_order_seq_cst) != seen_kicks ||
         stack_->header->stack_gone.load(std::memory_order_seq_cst) != 0;
}

int nc_set::Wait(nc_event* events, int capacity, Time deadline) {
  bool slept = false;
  for (;;) {
    const uint32_t kicks = kicks_.load(std::memory_order_seq_cst);
    const bool gone = stack_->header->stack_gone.load(std::memory_order_seq_cst) != 0;
    bool more = false;
    int count = 0;
    {
      const std::lock_guard lock(mutex_);
      Drain();
      count = Collect(events, capacity);
      more = ready_.size() > static_cast<size_t>(count);
    }
    if (count > 0) {
      // A sleep has emptied the descriptor, and what is ready stays ready.
      if (slept && exported_.load(std::memory_order_relaxed)) {
        eventfd_write(stack_->link->WaitSetFd(index_), 1);
      }
      // Others that sleep here were not told of the rest.
      if (more && sleeping_.load(std::memory_order_seq_cst) != 0) Kick();
      return count;
    }
    if (gone) return -ENETDOWN;
    if (!deadline.is_infinite() && netchannel::ipc::MonotonicNow() >= deadline) {
      if (!PrepareExport(kicks)) continue;
      return 0;
    }
    slept = true;
    waiting_.fetch_add(1, std::memory_order_seq_cst);
    const int error = Sleep(kicks, deadline);
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    if (error != 0) return -error;
  }
}

bool nc_set::PrepareExport(uint32_t seen_kicks) {
  if (!exported_.load(std::memory_order_relaxed)) return true;
  eventfd_t ignored;
  eventfd_read(stack_->link->WaitSetFd(index_), &ignored);
  ring_.Arm();
  return !HasNews(seen_kicks);
}

int nc_set::Sleep(uint32_t seen_kicks, Time deadline) {
  struct Waiting {
    const nc_set* set;
    uint32_t kicks;
  } waiting = {this, seen_kicks};
  const auto done = [](void* argument) {
    const auto* seen = static_cast<Waiting*>(argument);
    return seen->set->HasNews(seen->kicks);
  };
  const auto lent = stack_->link->Lend(done, &waiting, deadline, false);
  if (lent == netchannel::ipc::LendResult::kInterrupted) return done(&waiting) ? 0 : EINTR;
  if (lent == netchannel::ipc::LendResult::kRan) return 0;
  return SleepOnDescriptor(seen_kicks, deadline);
}

int nc_set::SleepOnDescriptor(uint32_t seen_kicks, Time deadline) {
  pollfd poll_fd = {stack_->link->WaitSetFd(index_), POLLIN, 0};
  if (poll_fd.fd < 0) return EMFILE;
  stack_->header->sleepers.fetch_add(1, std::memory_order_seq_cst);
  sleeping_.fetch_add(1, std::memory_order_seq_cst);
  ring_.Arm();
  stack_->link->Attend();
  int error = 0;
  if (!HasNews(seen_kicks)) {
    timespec left{};
    if (!deadline.is_infinite()) {
      const Duration rest = deadline - netchannel::ipc::MonotonicNow();
      if (rest > Duration::Zero()) left = netchannel::ipc::ToTimespec(rest);
    }
    const int result = ppoll(&poll_fd, 1, deadline.is_infinite() ? nullptr : &left, nullptr);
    if (result < 0) error = errno;
  }
  stack_->header->sleepers.fetch_sub(1, std::memory_order_relaxed);
  eventfd_t ignored;
  eventfd_read(poll_fd.fd, &ignored);
  // The stack's one signal is spent, perhaps on us: the others need a new one.
  if (sleeping_.fetch_sub(1, std::memory_order_seq_cst) > 1 ||
      exported_.load(std::memory_order_relaxed)) {
    ring_.Arm();
  } else {
    ring_.Disarm();
  }
  return HasNews(seen_kicks) ? 0 : error;
}

int nc_set::Export() {
  const int fd = stack_->link->WaitSetFd(index_);
  if (fd < 0) return -1;
  if (!exported_.exchange(true, std::memory_order_seq_cst)) {
    // The application may sleep on it at any time from now on, where we cannot see it.
    stack_->header->sleepers.fetch_add(1, std::memory_order_seq_cst);
    stack_->link->Attend();
    eventfd_write(fd, 1);
  }
  return fd;
}

namespace netchannel {

void RecheckInSet(nc_socket* socket) {
  if (nc_set* set = socket->set.load(std::memory_order_acquire); set != nullptr)
    set->Recheck(socket);
}

void LeaveSet(nc_socket* socket) {
  if (nc_set* set = socket->set.load(std::memory_order_acquire); set != nullptr)
    set->Remove(socket);
}

}  // namespace netchannel

using netchannel::Fail;

extern "C" {

nc_set* nc_set_create(nc_stack* stack) {
  for (uint32_t index = 0; index < netchannel::ipc::kWaitSets; ++index) {
    uint32_t free = 0;
    std::atomic<uint32_t>& in_use = stack->region.wait_set(index)->in_use;
    if (!in_use.compare_exchange_strong(free, 1, std::memory_order_acq_rel)) continue;
    auto* set = new (std::nothrow) nc_set(stack, index);
    if (set == nullptr) {
      in_use.store(0, std::memory_order_release);
      Fail(ENOMEM);
      return nullptr;
    }
    const std::lock_guard lock(stack->open_mutex);
    stack->open_sets.insert(set);
    return set;
  }
  Fail(EMFILE);
  return nullptr;
}

void nc_set_destroy(nc_set* set) {
  if (set != nullptr) set->Destroy();
}

int nc_set_watch(nc_set* set, nc_socket* socket, unsigned events, void* data) {
  const int error = events == 0 ? set->Remove(socket) : set->Watch(socket, events, data);
  return error == 0 ? 0 : Fail(error);
}

int nc_set_wait(nc_set* set, struct nc_event* events, int capacity, int timeout_ms) {
  if (events == nullptr || capacity <= 0) return Fail(EINVAL);
  const Time deadline = timeout_ms < 0
                            ? Time::Infinite()
                            : netchannel::ipc::MonotonicNow() + Duration::Millis(timeout_ms);
  const int count = set->Wait(events, capacity, deadline);
  return count >= 0 ? count : Fail(-count);
}

int nc_set_fd(nc_set* set) {
  const int fd = set->Export();
  return fd >= 0 ? fd : Fail(EMFILE);
}

}  // extern "C"
