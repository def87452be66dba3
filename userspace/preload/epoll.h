// SPDX-License-Identifier: Apache-2.0
//
// An epoll instance with sockets in it that the library knows. It is two sets under one number: the
// kernel's instance, with all that is the kernel's, and a NetChannel wait set (nc_set) whose
// descriptor is registered in the kernel's instance. A wait looks at the wait set first, in shared
// memory; when nothing is there it sleeps in the kernel's, which the wait set's descriptor wakes.
//
// So the instance can itself be polled, and be in another instance, as the kernel has it.
//
// A socket is in the kernel's instance, the wait set, or both (a listener), as its kind says; when
// its kind changes, its registrations move (Place).
//
// fork(): the kernel's instance is shared with the child, the wait set is not, and its descriptor
// in the shared instance would wake the wrong process. So a child that uses an inherited instance
// with a wait set gets a kernel instance of its own first, with the same registrations
// (MakePrivate); what one of them changes later the other does not see.
//
// Thread: Wait and HasSet any; the rest under Mutex(). Errors: errno values.
#pragma once

#include <signal.h>
#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "preload/description.h"
#include "preload/table.h"

namespace netchannel::preload {

class Epoll {
 public:
  explicit Epoll(Description* owner);
  ~Epoll();
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;

  // As epoll_ctl of a socket that is known. 0, or errno.
  int Control(int op, int fd, Description* socket, const epoll_event* event);
  // A descriptor of the kernel's has been added.
  void OnKernelAdded() { has_kernel_.store(true, std::memory_order_relaxed); }

  // The kind of `socket` has changed: its registrations go where they belong now.
  void Place(Description* socket);
  // The library is about to forget `socket`: its registrations are the kernel's from now on.
  void HandToKernel(Description* socket);
  // `to` stands for `socket` from now on, which leaves the wait set.
  void Replace(Description* socket, Description* to);
  // The handle of `socket` is about to be closed.
  void LeaveSet(Description* socket);
  // `fd` is about to be closed.
  void Leave(int fd);

  // There are virtual sockets to wait for: else libc's calls do.
  bool HasSet() const { return set_.load(std::memory_order_acquire) != nullptr; }
  // As epoll_pwait2, which it calls with `precise` (else epoll_pwait, in milliseconds).
  // `timeout_ns` < 0: no limit. `mask` may be null. -1 and errno.
  int Wait(int epfd, epoll_event* events, int capacity, int64_t timeout_ns, const sigset_t* mask,
           bool precise);

 private:
  struct Registration {
    Description* socket;
    epoll_event event;
    nc_socket* handle = nullptr;  // in the wait set; null: is not
    bool own_handle = false;      // another descriptor of the socket has the first
    bool in_kernel = false;
  };
  // What a wait has found.
  struct Found {
    epoll_event* events;
    int count;
    bool set_woke = false;  // the wait set's descriptor was among them
  };

  int own_fd() const { return owner_->fds.empty() ? -1 : owner_->fds.front(); }
  uint64_t cookie() const { return reinterpret_cast<uintptr_t>(this); }
  int EnsureSet();
  int Attach();
  void Detach();
  int PlaceOne(int fd, Registration* registration);
  int JoinSet(int fd, Registration* registration);
  void LeaveSet(Registration* registration);
  int Modify(int fd, Registration* registration, const epoll_event& event);
  // The kind of `socket`, which is registered, may have changed.
  void NoteListener(const Description* socket);
  void ForgetListener(int fd);
  // Calls `visit(fd, registration)` for each descriptor of `socket` that is registered here.
  template <typename F>
  void ForEachOf(const Description* socket, F visit);
  void MakePrivate(int epfd);
  int FromSet(nc_set* set, epoll_event* events, int capacity);
  bool FromKernel(int epfd, Found* found, int capacity, int64_t timeout_ns, const sigset_t* mask,
                  bool precise);
  int MergeListeners(epoll_event* events, int from_set, int total);

  Description* const owner_;
  std::atomic<nc_set*> set_{nullptr};
  std::atomic<bool> has_kernel_{false};
  std::atomic<bool> has_listeners_{false};
  std::atomic<uint32_t> turns_{0};
  std::atomic<int> pid_;

  // Guarded by Mutex().
  bool attached_ = false;  // the wait set's descriptor is in the kernel's instance
  // By descriptor, each among its socket's `fds`: a call costs what the socket has, not what the
  // instance has.
  absl::flat_hash_map<int, Registration> registrations_;
  std::vector<int> listeners_;  // descriptors of listeners: registered in both
};

// All instances that `socket` is in. Precondition: Mutex().
void PlaceInEpolls(Description* socket);
void HandEpollsToKernel(Description* socket);
void LeaveEpollSets(Description* socket);
void ReplaceInEpolls(Description* socket, Description* to);
// `fd` of `socket` is about to be closed. Precondition: Mutex().
void LeaveEpolls(Description* socket, int fd);

}  // namespace netchannel::preload
