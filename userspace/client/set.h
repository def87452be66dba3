// SPDX-License-Identifier: Apache-2.0
//
// nc_set: readiness of many sockets at one place, level-triggered.
//
// The set keeps a list of the sockets that may be ready: those the stack has pushed into the set's
// ring, and those that were ready when last reported. A wait moves the ring's entries to the list,
// and asks each listed socket whether it is ready: a ready one is reported and stays, at the end of
// the list; another one leaves it. So a wait costs what is ready, not what is watched, and no
// socket starves another.
//
// Who clears SocketSlot::queued and when: the set, when a socket leaves the list; then it looks at
// the socket once more, since the stack does not push a socket whose flag is set (ipc/wait_set.h).
//
// Owner: the application. Thread: any; one mutex, not held while sleeping.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "base/units.h"
#include "client/socket.h"
#include "client/stack.h"
#include "ipc/wait_set.h"

// The list of nc_socket::member, oldest first.
class ReadyList {
 public:
  bool empty() const { return head_ == nullptr; }
  nc_socket* front() const { return head_; }
  size_t size() const { return size_; }
  void PushBack(nc_socket* socket);  // nothing if it is listed
  void Remove(nc_socket* socket);    // nothing if it is not

 private:
  nc_socket* head_ = nullptr;
  nc_socket* tail_ = nullptr;
  size_t size_ = 0;
};

struct nc_set {
  nc_set(nc_stack* its_stack, uint32_t its_index);
  void Destroy();  // the sockets leave, the index is free again

  int Watch(nc_socket* socket, unsigned events, void* data);  // 0, or errno
  int Remove(nc_socket* socket);                              // 0, or errno
  // As nc_set_wait, but errors as -errno.
  int Wait(nc_event* events, int capacity, netchannel::Time deadline);
  // A descriptor for someone else's event loop, or -1.
  int Export();
  // The readiness of `socket` may have changed on this side.
  void Recheck(nc_socket* socket);

 private:
  ~nc_set();
  void Drain();
  int Collect(nc_event* events, int capacity);
  unsigned Look(nc_socket* socket) const;
  void Kick();
  bool HasNews(uint32_t seen_kicks) const;
  // 0: look again; else errno.
  int Sleep(uint32_t seen_kicks, netchannel::Time deadline);
  int SleepOnDescriptor(uint32_t seen_kicks, netchannel::Time deadline);
  // The application goes to poll the exported descriptor. False: look again.
  bool PrepareExport(uint32_t seen_kicks);

  nc_stack* const stack_;
  const uint32_t index_;
  netchannel::ipc::WaitSetConsumer ring_;
  std::atomic<uint32_t> kicks_{0};     // moves when a waiting thread must look at the list again
  std::atomic<uint32_t> waiting_{0};   // threads in Sleep
  std::atomic<uint32_t> sleeping_{0};  // of these, on the descriptor
  std::atomic<bool> exported_{false};

  std::mutex mutex_;
  absl::flat_hash_map<uint32_t, nc_socket*> members_;
  ReadyList ready_;
};

namespace netchannel {

void RecheckInSet(nc_socket* socket);
void LeaveSet(nc_socket* socket);

}  // namespace netchannel
