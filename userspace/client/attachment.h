// SPDX-License-Identifier: Apache-2.0
//
// This process's use of one region, and the link to the stack behind it. A process has one for the
// sockets it makes, and others for sockets that it has inherited over exec or received.
//
// Owner: shared by the handles that need it (nc_stack, nc_socket, nc_set); the last one gone, it is
// unmapped and its link closed. Over fork() it is inherited as it is: the child works on the same
// memory and the same link. Not so with an embedded stack, whose threads stay with the parent: the
// child's is severed. Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "ipc/calls.h"
#include "ipc/doorbell.h"
#include "ipc/link.h"
#include "ipc/owner.h"
#include "ipc/region.h"
#include "netscheduler/copy/copy_pool.h"

namespace netchannel {

class Attachment {
 public:
  Attachment(std::unique_ptr<ipc::StackLink> stack_link, const ipc::RegionView& view);
  ~Attachment();
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  // "Look at socket `index`", whose `dirty` the caller has just set.
  void RingSocket(uint32_t index);
  // The same for a sender that has written up to `end`; where it must wake the stack at the latest.
  uint64_t RingWritten(uint32_t index, uint64_t end);

  bool gone() const { return header->stack_gone.load(std::memory_order_seq_cst) != 0; }
  // Other processes may use it: it is the daemon's. Else it is embedded, and runs on threads that
  // wait.
  bool shareable() const { return region_id != 0; }
  // This process has connected it. If not, it was inherited over fork().
  bool own() const;

  // In a forked child, for an embedded stack: private memory takes the place of the region, in
  // which the stack has gone. Nothing of the parent's is touched.
  void Sever();

  // The workers for copies of `length` bytes; they are started when they are first asked for.
  // Null: there are none, or it is too little for them. Without the process's mutex.
  CopyPool* CopyPoolFor(uint64_t length) {
    if (length < copy.threshold || copy.workers == 0) return nullptr;
    CopyPool* const pool = copy_pool_.load(std::memory_order_acquire);
    return pool != nullptr ? pool : StartCopyPool();
  }
  // In a forked child: the parent's workers are not here, and what has no stack needs no others.
  void ForgetCopyPool() {
    copy_pool_.store(nullptr, std::memory_order_relaxed);
    no_copy_pool_.store(!shareable(), std::memory_order_relaxed);
  }
  // The most that is copied by the caller alone.
  uint64_t longest_unsplit() const { return copy.workers != 0 ? copy.threshold - 1 : UINT64_MAX; }

  std::unique_ptr<ipc::StackLink> link;
  const ipc::RegionView region;
  ipc::RegionHeader* const header;
  const uint64_t region_id;  // 0: embedded
  const ipc::CopySettings copy;
  ipc::CallClient calls;
  ipc::DoorbellProducer doorbell;

 private:
  CopyPool* StartCopyPool();

  const uint32_t generation_;
  std::atomic<CopyPool*> copy_pool_{nullptr};  // ours; set under the process's mutex
  std::atomic<bool> no_copy_pool_{false};      // it could not be started
};

// While it lives, the thread may sleep where only the stack's own thread can wake it. The daemon's
// always runs; an embedded stack must have its thread at work and take no others.
class Attending {
 public:
  explicit Attending(Attachment* attachment) : attachment_(attachment) {
    if (attachment_->shareable()) return;
    attachment_->header->sleepers.fetch_add(1, std::memory_order_seq_cst);
    attachment_->link->Attend();
  }
  ~Attending() {
    if (attachment_->shareable()) return;
    attachment_->header->sleepers.fetch_sub(1, std::memory_order_relaxed);
  }
  Attending(const Attending&) = delete;
  Attending& operator=(const Attending&) = delete;

 private:
  Attachment* const attachment_;
};

}  // namespace netchannel
