// SPDX-License-Identifier: Apache-2.0
//
// What the library keeps once a process: the list of its handles, and what happens to them in
// fork().
//
// fork(): before it, sockets without an anchor get one (client/anchor.h), so that parent and child
// each hold their own, and all bookkeeping locks are taken, so that the child finds nothing half
// done. In the child, embedded stacks are severed, and wait sets, which belong to one process, are
// set up anew at their first use. vfork(), posix_spawn() and raw clone() do not come here: their
// children may only exec.
//
// Thread: any. Lock order: mutex, then a set's, then a socket's (client/lock.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "netchannel/netchannel.h"

namespace netchannel {

class Attachment;

class Process {
 public:
  static Process& Get();

  std::mutex& mutex() { return mutex_; }
  // Another number in each process that descends from this one by fork().
  uint32_t generation() const { return generation_.load(std::memory_order_relaxed); }

  // Guarded by mutex().
  absl::flat_hash_set<nc_socket*> sockets;
  absl::flat_hash_set<nc_set*> sets;
  void Add(const std::shared_ptr<Attachment>& attachment);
  std::shared_ptr<Attachment> Find(uint64_t region_id);

 private:
  Process();
  static void BeforeFork();
  static void AfterForkInParent();
  static void AfterForkInChild();
  void Unlock();

  std::mutex mutex_;
  std::vector<std::weak_ptr<Attachment>> attachments_;
  std::atomic<uint32_t> generation_{0};
};

}  // namespace netchannel
