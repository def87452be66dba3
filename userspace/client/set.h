// SPDX-License-Identifier: Apache-2.0
//
// nc_set: readiness of many sockets at one place, with the meanings of epoll(7): level-triggered,
// edge-triggered (NC_EDGE), one-shot (NC_ONESHOT).
//
// The set keeps a list of the members that may have something to report: those the stacks have
// named in the set's rings, those that have just been added or changed, and, level-triggered, those
// that had something when last looked at. A wait moves the rings' entries to the list and looks at
// each listed member once: what has something is reported and, level-triggered, stays, at the end
// of the list; all else leaves it until the stack names it again. So a wait costs what has
// happened, not what is watched, no socket starves another, and an edge is: something has happened
// since the last look.
//
// What a stack names a socket for: bytes or a connection that arrive, room that comes back after it
// was found missing (SocketSlot::room_at), a change of state.
//
// Sockets may be of several regions; the set has a part in each. One eventfd wakes it for all.
//
// Owner: the application. Thread: any; one mutex, not held while sleeping. After fork() the child's
// is a copy: it is set up anew at its first use, and changes to one do not show in the other.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "base/units.h"
#include "client/set_member.h"
#include "client/set_part.h"
#include "client/socket.h"
#include "client/stack.h"

struct nc_set {
  // Null: errno is set.
  static nc_set* Create(nc_stack* stack);
  void Destroy();  // the sockets leave

  // 0, or errno.
  int Watch(nc_socket* socket, unsigned events, void* data);
  int Remove(nc_socket* socket);
  // As nc_set_wait, but errors as -errno.
  int Wait(nc_event* events, int capacity, netchannel::Time deadline);
  // A descriptor for someone else's event loop.
  int Export();
  // The readiness of `socket` may have changed on this side.
  void Recheck(netchannel::SetMember* member);

  void LockForFork() { mutex_.lock(); }
  void UnlockAfterFork() { mutex_.unlock(); }

  nc_stack* const origin;

  // `member` is deleted. Precondition: the process's mutex.
  void Leave(netchannel::SetMember* member);

 private:
  // A thread that uses the parts without the mutex: they stay.
  class Inside {
   public:
    explicit Inside(nc_set* set) : set_(set) { set_->inside_.fetch_add(1); }
    ~Inside() { set_->inside_.fetch_sub(1); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    nc_set* const set_;
  };

  nc_set(nc_stack* stack, int event_fd);
  ~nc_set();

  int EnsureOwn();
  netchannel::SetPart* Part(const std::shared_ptr<netchannel::Attachment>& home, bool make);
  void DropEmptyParts();
  netchannel::SetMember* Find(nc_socket* socket);
  int Join(nc_socket* socket, unsigned events, void* data);
  void Arm(netchannel::SetMember* member, unsigned events, void* data);
  void Drain();
  int Collect(nc_event* events, int capacity, bool* more);
  static unsigned Look(const netchannel::SetMember& member);

  void EmptyDescriptor();
  void KickAndUnlock(std::unique_lock<std::mutex>* lock);
  void Kick();
  bool AllGone() const;
  bool HasNews(uint32_t seen_kicks) const;
  // 0: look again; else errno.
  int Sleep(uint32_t seen_kicks, netchannel::Time deadline);
  int SleepOnDescriptor(uint32_t seen_kicks, netchannel::Time deadline);
  // The application goes to poll the exported descriptor. False: look again.
  bool PrepareExport(uint32_t seen_kicks);
  template <typename F>
  void ForEachPart(F visit) const {
    for (netchannel::SetPart* part = parts_.load(std::memory_order_acquire); part != nullptr;
         part = part->next.load(std::memory_order_acquire)) {
      visit(part);
    }
  }

  const int event_fd_;  // the number stays, also in a forked child
  std::atomic<netchannel::SetPart*> parts_{nullptr};
  std::atomic<uint32_t> kicks_{0};  // moves when a waiting thread must look at the list again
  std::atomic<uint32_t> inside_{0};
  std::atomic<uint32_t> lent_{0};      // threads that run an embedded stack meanwhile
  std::atomic<uint32_t> sleeping_{0};  // of these, on the descriptor
  std::atomic<bool> exported_{false};
  // Nobody has written the exported descriptor since it was last emptied. Who empties it sets this
  // and then looks for news, who has news clears it and then writes: one write for all that comes
  // until the application looks again.
  std::atomic<bool> emptied_{false};

  std::mutex mutex_;
  uint32_t generation_;  // of the process that the parts belong to
  netchannel::ReadyList ready_;
  // An embedded stack's own thread is at work while the application may poll the descriptor.
  std::optional<netchannel::Attending> exported_home_;
};

namespace netchannel {

void RecheckInSets(nc_socket* socket);
void LeaveSets(nc_socket* socket);

}  // namespace netchannel
