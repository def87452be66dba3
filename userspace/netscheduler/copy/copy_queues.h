// SPDX-License-Identifier: Apache-2.0
//
// The state machine of a pool of copy workers, without its threads: the pieces, a queue a worker,
// and the policy that chooses between them. What a worker does is Take, copy, Finish; what a call
// does is in copy_pipeline.h.
//
// A piece's bytes count in its worker's backlog from Submit until it is done or taken back. A
// worker above the limit of backlog is not given more; with no worker below it, Submit is nothing
// and the caller copies itself, so what waits is bounded.
//
// Thread: any for the calls' part; Take, Finish and Sleep: one a worker.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "netscheduler/copy/copy_policy.h"
#include "netscheduler/copy/copy_slots.h"
#include "netscheduler/copy/request_ring.h"

namespace netchannel {

class CopyQueues {
 public:
  using Ticket = CopySlots::Ticket;

  // `cores`: of each worker, kAnyCore where it may move; 1 to kMaxCopyWorkers.
  CopyQueues(std::unique_ptr<CopyPolicy> policy, std::vector<int> cores, uint64_t worker_backlog);
  static constexpr int kAnyCore = -1;

  uint32_t workers() const { return static_cast<uint32_t>(cores_.size()); }
  uint64_t backlog(uint32_t worker) const {
    return queues_[worker].backlog.load(std::memory_order_relaxed);
  }

  // A call's part.
  std::optional<Ticket> Submit(const CopyPiece& piece);
  bool TakeBack(const Ticket& ticket);  // false: a worker has it or has had it
  bool IsDone(const Ticket& ticket) const { return slots_.IsDone(ticket); }
  void Await(const Ticket& ticket) { slots_.Await(ticket); }
  size_t copied(const Ticket& ticket) const { return slots_.copied(ticket); }
  const CopyPiece& piece(const Ticket& ticket) const { return slots_.piece(ticket); }
  // Of one that is done or was taken back.
  void Release(const Ticket& ticket) { slots_.Release(ticket); }

  // A worker's part. Nothing: there is nothing to do now.
  std::optional<Ticket> Take(uint32_t worker);
  void Finish(uint32_t worker, const Ticket& ticket, size_t copied);
  // Sleeps until there is something to take or Stop was called; may return for nothing.
  void Sleep(uint32_t worker);

  void Stop();
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }
  uint32_t in_use() const { return slots_.in_use(); }

 private:
  // Requests that wait; those of pieces that were taken back count until they are seen.
  static constexpr size_t kRequests = 64;

  struct alignas(64) Queue {
    RequestRing<kRequests> requests;
    alignas(64) std::atomic<uint64_t> backlog{0};
    std::atomic<uint32_t> asleep{0};  // futex
  };

  std::optional<uint32_t> Choose(uint64_t length);
  void Wake(Queue& queue);

  const std::unique_ptr<CopyPolicy> policy_;
  const std::vector<int> cores_;
  const uint64_t worker_backlog_;
  CopyCursor cursor_{0};
  CopySlots slots_;
  std::array<Queue, kMaxCopyWorkers> queues_;
  std::atomic<bool> stopped_{false};
};

}  // namespace netchannel
