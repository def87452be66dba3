// SPDX-License-Identifier: Apache-2.0
//
// The part of a wait set that lies in one region: its number there, the ring through which that
// region's stack names sockets, and the set's members among that region's sockets.
//
// The bits of a socket's slot say what the stack tells this set (ipc/abi.h): they are what the
// members on that slot want, all together.
//
// Owner: the set, which gives the descriptor that the stack wakes it by. A part belongs to the
// process that made it: a forked child drops it without touching the region, and makes its own.
// Thread: under the set's mutex, but HasNews any. Errors: Make sets errno.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "client/attachment.h"
#include "client/set_member.h"
#include "ipc/wait_set.h"

namespace netchannel {

class SetPart {
 public:
  // Null: EMFILE, the region's sets are all in use.
  static std::unique_ptr<SetPart> Make(std::shared_ptr<Attachment> home, int event_fd);
  ~SetPart();
  SetPart(const SetPart&) = delete;
  SetPart& operator=(const SetPart&) = delete;

  const std::shared_ptr<Attachment>& home() const { return home_; }
  bool empty() const { return members_.empty(); }

  void Add(SetMember* member);
  void Remove(SetMember* member);
  SetMember* Find(const nc_socket* socket) const;
  // Tells the stack what the members on the slot of `member` want now.
  void Tell(const SetMember& member);

  // Something for Drain.
  bool HasNews() const {
    return ring_.HasEntry() || (home_->gone() && !end_seen_.load(std::memory_order_relaxed));
  }
  // Lists the members that the stack has named; all of them, when it has gone.
  void Drain(ReadyList* ready);
  void Collect(std::vector<SetMember*>* members) const;
  void Arm() { ring_.Arm(); }
  void Disarm() { ring_.Disarm(); }

  std::atomic<SetPart*> next{nullptr};  // the set's

 private:
  SetPart(std::shared_ptr<Attachment> home, uint32_t index);

  const std::shared_ptr<Attachment> home_;
  const uint32_t index_;
  const uint32_t generation_;  // of the process
  ipc::WaitSetConsumer ring_;
  absl::flat_hash_map<uint32_t, SetMember*> members_;  // by slot: the first of a chain
  std::atomic<bool> end_seen_{false};
};

}  // namespace netchannel
