// SPDX-License-Identifier: Apache-2.0
//
// What is in a set. Waiting is in set_wait.cc.
#include "client/set.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <memory>
#include <new>
#include <vector>

#include "client/process.h"

using netchannel::Process;
using netchannel::SetMember;
using netchannel::SetPart;

nc_set::nc_set(nc_stack* stack, int event_fd)
    : origin(stack), event_fd_(event_fd), generation_(Process::Get().generation()) {}

nc_set* nc_set::Create(nc_stack* stack) {
  const int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd < 0) return nullptr;
  auto* set = new (std::nothrow) nc_set(stack, event_fd);
  if (set == nullptr) {
    close(event_fd);
    errno = ENOMEM;
    return nullptr;
  }
  const auto home = stack->Latest();
  Process& process = Process::Get();
  const std::lock_guard lock(process.mutex());
  // An inherited region, or one that has gone, is asked when a socket of it is added.
  if ((home->own() || !home->shareable()) && set->Part(home, true) == nullptr) {
    const int error = errno;
    delete set;
    errno = error;
    return nullptr;
  }
  process.sets.insert(set);
  return set;
}

nc_set::~nc_set() {
  for (SetPart* part = parts_.load(); part != nullptr;) {
    SetPart* const next = part->next.load();
    delete part;
    part = next;
  }
  close(event_fd_);
}

void nc_set::Destroy() {
  {
    Process& process = Process::Get();
    const std::lock_guard lock(process.mutex());
    process.sets.erase(this);
    std::vector<SetMember*> members;
    ForEachPart([&](SetPart* part) { part->Collect(&members); });
    for (SetMember* member : members) Leave(member);
  }
  delete this;
}

// The part in `home`; null when there is none, or none can be made (errno). Under the mutex, or
// before others know the set.
SetPart* nc_set::Part(const std::shared_ptr<netchannel::Attachment>& home, bool make) {
  SetPart* found = nullptr;
  ForEachPart([&](SetPart* part) {
    if (part->home() == home) found = part;
  });
  if (found != nullptr || !make) return found;
  std::unique_ptr<SetPart> part = SetPart::Make(home, event_fd_);
  if (part == nullptr) return nullptr;
  // Of the set's own making: what comes late from the stack is a needless look.
  eventfd_t ignored;
  if (!exported_.load(std::memory_order_relaxed)) eventfd_read(event_fd_, &ignored);
  part->next.store(parts_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  found = part.release();
  parts_.store(found, std::memory_order_release);
  return found;
}

// Regions whose sockets come and go are not held for ever. Under the mutex.
void nc_set::DropEmptyParts() {
  if (inside_.load(std::memory_order_seq_cst) != 0) return;
  std::atomic<SetPart*>* at = &parts_;
  while (SetPart* part = at->load(std::memory_order_relaxed)) {
    if (part->empty() && (part->home()->gone() || !part->home()->own())) {
      at->store(part->next.load(std::memory_order_relaxed), std::memory_order_relaxed);
      delete part;
    } else {
      at = &part->next;
    }
  }
}

// In a forked child the parts are the parent's: it makes its own. 0, or errno. Under the mutex.
int nc_set::EnsureOwn() {
  if (generation_ == Process::Get().generation()) return 0;
  const int fresh = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fresh < 0) return errno;
  const int moved = dup3(fresh, event_fd_, O_CLOEXEC);
  const int error = errno;
  close(fresh);
  if (moved < 0) return error;
  generation_ = Process::Get().generation();
  inside_.store(0);
  sleeping_.store(0);
  SetPart* inherited = parts_.exchange(nullptr);
  int failed = 0;
  while (inherited != nullptr) {
    const std::unique_ptr<SetPart> old(inherited);
    inherited = old->next.load();
    std::vector<SetMember*> members;
    old->Collect(&members);
    if (members.empty()) continue;
    SetPart* part = Part(old->home(), true);
    if (part == nullptr) failed = errno;
    for (SetMember* member : members) {
      ready_.Remove(member);
      if (part == nullptr) {
        member->part = nullptr;
        continue;
      }
      part->Add(member);
      part->Tell(*member);
      ready_.PushBack(member);
    }
  }
  if (exported_.load(std::memory_order_relaxed)) eventfd_write(event_fd_, 1);
  return failed;
}

SetMember* nc_set::Find(nc_socket* socket) {
  SetPart* part = Part(socket->home, false);
  return part != nullptr ? part->Find(socket) : nullptr;
}

// Under the mutex.
void nc_set::Arm(SetMember* member, unsigned events, void* data) {
  member->events = events;
  member->data = data;
  member->armed = true;
  member->part->Tell(*member);
  // What it is ready for now is news, edge or not.
  ready_.PushBack(member);
}

int nc_set::Watch(nc_socket* socket, unsigned events, void* data) {
  if ((events & ~(netchannel::kReportable | NC_EDGE | NC_ONESHOT)) != 0) return EINVAL;
  std::unique_lock lock(mutex_);
  if (const int error = EnsureOwn(); error != 0) return error;
  SetMember* member = Find(socket);
  if (member == nullptr) {
    lock.unlock();
    return Join(socket, events, data);
  }
  Arm(member, events, data);
  KickAndUnlock(&lock);
  return 0;
}

int nc_set::Join(nc_socket* socket, unsigned events, void* data) {
  std::unique_lock process_lock(Process::Get().mutex());
  std::unique_lock lock(mutex_);
  SetMember* member = Find(socket);
  if (member == nullptr) {
    SetPart* part = Part(socket->home, true);
    if (part == nullptr) return errno;
    member = new (std::nothrow) SetMember();
    if (member == nullptr) return ENOMEM;
    member->set = this;
    member->socket = socket;
    member->next_of_socket = socket->memberships;
    socket->memberships = member;
    part->Add(member);
  }
  process_lock.unlock();
  Arm(member, events, data);
  KickAndUnlock(&lock);
  return 0;
}

int nc_set::Remove(nc_socket* socket) {
  const std::lock_guard process_lock(Process::Get().mutex());
  SetMember* member = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (const int error = EnsureOwn(); error != 0) return error;
    member = Find(socket);
  }
  if (member == nullptr) return ENOENT;
  Leave(member);
  return 0;
}

// Precondition: the process's mutex, not this one.
void nc_set::Leave(SetMember* member) {
  SetMember** at = &member->socket->memberships;
  while (*at != member) at = &(*at)->next_of_socket;
  *at = member->next_of_socket;
  const std::lock_guard lock(mutex_);
  if (member->part != nullptr) member->part->Remove(member);
  ready_.Remove(member);
  delete member;
  DropEmptyParts();
}

void nc_set::Recheck(SetMember* member) {
  std::unique_lock lock(mutex_);
  ready_.PushBack(member);
  KickAndUnlock(&lock);
}

int nc_set::Export() {
  const auto home = origin->Latest();  // before the mutex: it takes the process's
  const std::lock_guard lock(mutex_);
  if (const int error = EnsureOwn(); error != 0) return netchannel::Fail(error);
  if (!exported_.exchange(true, std::memory_order_seq_cst)) {
    // The application may sleep on it at any time from now on, where we cannot see it.
    if (origin->embedded) exported_home_.emplace(home.get());
    eventfd_write(event_fd_, 1);
  }
  return event_fd_;
}

namespace netchannel {

void RecheckInSets(nc_socket* socket) {
  const std::lock_guard lock(Process::Get().mutex());
  for (SetMember* member = socket->memberships; member != nullptr;
       member = member->next_of_socket) {
    member->set->Recheck(member);
  }
}

void LeaveSets(nc_socket* socket) {
  const std::lock_guard lock(Process::Get().mutex());
  while (socket->memberships != nullptr) socket->memberships->set->Leave(socket->memberships);
}

}  // namespace netchannel

using netchannel::Fail;

extern "C" {

nc_set* nc_set_create(nc_stack* stack) { return nc_set::Create(stack); }

void nc_set_destroy(nc_set* set) {
  if (set != nullptr) set->Destroy();
}

int nc_set_watch(nc_set* set, nc_socket* socket, unsigned events, void* data) {
  const int error = events == 0 ? set->Remove(socket) : set->Watch(socket, events, data);
  return error == 0 ? 0 : Fail(error);
}

int nc_set_fd(nc_set* set) { return set->Export(); }

}  // extern "C"
