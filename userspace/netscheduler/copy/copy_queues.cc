// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/copy/copy_queues.h"

#include <sched.h>

#include <utility>

#include "ipc/fence.h"
#include "ipc/futex.h"

namespace netchannel {

CopyQueues::CopyQueues(std::unique_ptr<CopyPolicy> policy, std::vector<int> cores,
                       uint64_t worker_backlog)
    : policy_(std::move(policy)), cores_(std::move(cores)), worker_backlog_(worker_backlog) {}

std::optional<uint32_t> CopyQueues::Choose(uint64_t length) {
  std::array<uint64_t, kMaxCopyWorkers> backlog;
  CopyChoice choice;
  for (uint32_t i = 0; i < workers(); ++i) {
    backlog[i] = this->backlog(i);
    if (backlog[i] + length <= worker_backlog_) choice.with_room |= CopyWorkerMask{1} << i;
  }
  if (choice.with_room == 0) return std::nullopt;
  choice.backlog = {backlog.data(), workers()};
  choice.cores = cores_;
  choice.caller_core = policy_->pins_workers() ? sched_getcpu() : 0;
  return policy_->Choose(choice, cursor_);
}

std::optional<CopyQueues::Ticket> CopyQueues::Submit(const CopyPiece& piece) {
  const auto worker = Choose(piece.length);
  if (!worker) return std::nullopt;
  Queue& queue = queues_[*worker];
  const auto ticket = slots_.Submit(piece, *worker);
  if (!ticket) return std::nullopt;
  queue.backlog.fetch_add(piece.length, std::memory_order_relaxed);
  if (!queue.requests.Push(ticket->Pack())) {
    // Nobody has seen it.
    TakeBack(*ticket);
    Release(*ticket);
    return std::nullopt;
  }
  Wake(queue);
  return ticket;
}

// The worker sets `asleep`, then looks at its requests; here it is the other way round.
void CopyQueues::Wake(Queue& queue) {
  ipc::FullFence();
  if (queue.asleep.load(std::memory_order_relaxed) == 0) return;
  if (queue.asleep.exchange(0, std::memory_order_relaxed) == 0) return;
  ipc::FutexWake(queue.asleep, 1, ipc::FutexScope::kPrivate);
}

bool CopyQueues::TakeBack(const Ticket& ticket) {
  const uint32_t worker = slots_.worker(ticket);
  const uint64_t length = slots_.piece(ticket).length;
  if (!slots_.TakeBack(ticket)) return false;
  queues_[worker].backlog.fetch_sub(length, std::memory_order_relaxed);
  return true;
}

std::optional<CopyQueues::Ticket> CopyQueues::Take(uint32_t worker) {
  while (const auto word = queues_[worker].requests.Pop()) {
    const Ticket ticket = Ticket::Unpack(*word);
    if (slots_.Claim(ticket)) return ticket;
  }
  return std::nullopt;
}

void CopyQueues::Finish(uint32_t worker, const Ticket& ticket, size_t copied) {
  // Before it is done: then the piece is its owner's, who may release it.
  queues_[worker].backlog.fetch_sub(slots_.piece(ticket).length, std::memory_order_relaxed);
  slots_.Finish(ticket, copied);
}

void CopyQueues::Sleep(uint32_t worker) {
  Queue& queue = queues_[worker];
  queue.asleep.store(1, std::memory_order_relaxed);
  ipc::FullFence();
  if (queue.requests.empty() && !stopped()) {
    ipc::FutexWait(queue.asleep, 1, Time::Infinite(), ipc::FutexScope::kPrivate);
  }
  queue.asleep.store(0, std::memory_order_relaxed);
}

void CopyQueues::Stop() {
  stopped_.store(true, std::memory_order_release);
  for (uint32_t i = 0; i < workers(); ++i) Wake(queues_[i]);
}

}  // namespace netchannel
