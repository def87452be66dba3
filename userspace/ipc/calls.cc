// SPDX-License-Identifier: Apache-2.0
#include "ipc/calls.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include <cstring>

#include "ipc/fence.h"
#include "ipc/futex.h"
#include "ipc/owner.h"

namespace netchannel::ipc {
namespace {

// About 2 µs: a running stack answers within, and a futex sleep would cost its waker 15.
constexpr int kAnswerSpins = 64;
// A caller that a signal has interrupted while the stack had not yet looked at its call sleeps no
// longer than this at once: that the answer is held from now on, nobody is woken for.
constexpr Duration kInterruptedNap = Duration::Millis(1);

constexpr uint32_t Word(CallState state) { return static_cast<uint32_t>(state); }

bool IsDone(void* call) {
  return static_cast<Call*>(call)->state.load(std::memory_order_acquire) == Word(CallState::kDone);
}

// Submitted, and not answered.
bool IsWithStack(uint32_t state) {
  return state == Word(CallState::kSubmitted) || state == Word(CallState::kWaiting) ||
         state == Word(CallState::kPosted);
}

// `owner` is taken before `state` moves, and given up after it: so what the dead leave has a name.
void Free(Call* call) {
  call->state.store(Word(CallState::kFree), std::memory_order_relaxed);
  call->owner.store(0, std::memory_order_release);
}

bool IsKnown(uint32_t op) {
  return op >= static_cast<uint32_t>(Op::kCreate) && op <= static_cast<uint32_t>(Op::kOpen);
}

}  // namespace

CallClient::CallClient(const RegionView& region, StackLink* link)
    : region_(region), link_(link), doorbell_(region) {}

CallResult CallClient::Execute(const CallRequest& request) { return Run(request, nullptr); }

CallResult CallClient::ExecuteHeld(const CallRequest& request, bool* interrupted) {
  *interrupted = false;
  return Run(request, interrupted);
}

void CallClient::Post(const CallRequest& request) {
  const Claimed claimed = Claim();
  if (claimed.call != nullptr) Submit(claimed, request, CallState::kPosted);
}

CallResult CallClient::Run(const CallRequest& request, bool* interrupted) {
  if (region_.header()->stack_gone.load(std::memory_order_acquire) != 0)
    return {ENETDOWN, kNoIndex};
  const Claimed claimed = Claim();
  if (claimed.call == nullptr) return {ENETDOWN, kNoIndex};
  Submit(claimed, request, CallState::kSubmitted);
  // Without an answer the slot stays as it is: the stack may still write to it, and nobody needs it
  // any more.
  if (!Wait(claimed.call, interrupted)) return {ENETDOWN, kNoIndex};
  const CallResult result = {claimed.call->error, claimed.call->result_socket};
  Free(claimed.call);
  return result;
}

bool CallClient::ClaimOne(uint32_t index) {
  Call* call = region_.call(index);
  OwnerWord nobody = 0;
  if (!call->owner.compare_exchange_strong(nobody, ThisThread(), std::memory_order_acquire,
                                           std::memory_order_relaxed)) {
    return false;
  }
  call->state.store(Word(CallState::kFilling), std::memory_order_relaxed);
  return true;
}

// All slots taken means that 256 threads are in calls that the stack is answering: one frees in
// microseconds. Or that their owners have died.
CallClient::Claimed CallClient::Claim() {
  static thread_local uint32_t next = 0;
  while (region_.header()->stack_gone.load(std::memory_order_acquire) == 0) {
    for (uint32_t tried = 0; tried < kCalls; ++tried) {
      const uint32_t index = (next + tried) % kCalls;
      if (ClaimOne(index)) {
        next = index;
        return {region_.call(index), index};
      }
    }
    if (!Reclaim()) sched_yield();
  }
  return {nullptr, kNoIndex};
}

bool CallClient::Reclaim() {
  bool any = false;
  uint32_t orphan = kNoIndex;
  for (uint32_t index = 0; index < kCalls; ++index) {
    Call* call = region_.call(index);
    OwnerWord owner = call->owner.load(std::memory_order_acquire);
    const uint32_t state = call->state.load(std::memory_order_acquire);
    if (IsWithStack(state)) continue;  // it answers what was submitted; then it is done
    if (owner == 0 || IsAlive(owner)) continue;
    if (!call->owner.compare_exchange_strong(owner, ThisThread(), std::memory_order_acq_rel))
      continue;
    const bool answered = state == Word(CallState::kDone) || state == Word(CallState::kHeld);
    const bool created = call->op == static_cast<uint32_t>(Op::kCreate) && call->error == 0;
    const bool opened = call->op == static_cast<uint32_t>(Op::kOpen) && call->error == EINPROGRESS;
    if (answered && (created || opened)) orphan = call->result_socket;
    Free(call);
    any = true;
    if (orphan != kNoIndex) break;  // close it, with the slot that is now free; the rest next time
  }
  if (orphan != kNoIndex) {
    CallRequest close;
    close.op = Op::kClose;
    close.socket = orphan;
    Execute(close);
  }
  return any;
}

void CallClient::Submit(const Claimed& claimed, const CallRequest& request, CallState state) {
  Call* call = claimed.call;
  call->op = static_cast<uint32_t>(request.op);
  call->socket = request.socket;
  call->argument = request.argument;
  call->address = request.address;
  call->options = request.options;
  call->error = 0;
  call->result_socket = kNoIndex;
  call->state.store(Word(state), std::memory_order_release);
  doorbell_.Push(kDoorbellCall | claimed.index);
  FullFence();
  if (region_.header()->stack_sleeping.load(std::memory_order_relaxed) != 0) link_->Wake();
}

bool CallClient::Wait(Call* call, bool* interrupted) {
  const std::atomic<uint32_t>& gone = region_.header()->stack_gone;
  for (int i = 0; i < kAnswerSpins && !IsDone(call); ++i) SpinPause();
  bool signalled = false;
  while (!IsDone(call)) {
    // Submit has fenced: a stack that goes now either has seen the call, or is seen here.
    if (gone.load(std::memory_order_seq_cst) != 0) return false;
    const Time deadline = signalled ? MonotonicNow() + kInterruptedNap : Time::Infinite();
    if (Sleep(call, deadline, interrupted != nullptr) == EINTR) signalled = interrupted != nullptr;
    if (!signalled) continue;
    uint32_t held = Word(CallState::kHeld);
    // The result is ours; the stack may find another call there when the outcome comes.
    if (call->state.compare_exchange_strong(held, Word(CallState::kDone),
                                            std::memory_order_acq_rel)) {
      *interrupted = true;
      return true;
    }
  }
  return true;
}

int CallClient::Sleep(Call* call, Time deadline, bool cancellable) {
  const LendResult lent = link_->Lend(&IsDone, call, deadline, false);
  if (lent == LendResult::kRan) return 0;
  if (lent != LendResult::kUnavailable) return EINTR;
  region_.header()->sleepers.fetch_add(1, std::memory_order_seq_cst);
  link_->Attend();
  uint32_t seen = Word(CallState::kSubmitted);
  if (call->state.compare_exchange_strong(seen, Word(CallState::kWaiting),
                                          std::memory_order_seq_cst)) {
    seen = Word(CallState::kWaiting);
  }
  int error = 0;
  if (seen == Word(CallState::kWaiting) || seen == Word(CallState::kHeld)) {
    // As in WaitFor (client/wait.cc): a thread that is cancelled leaves its call, which is taken
    // over when it is needed, with what was opened by it.
    int cancel_type = PTHREAD_CANCEL_DEFERRED;
    if (cancellable) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &cancel_type);
    error = FutexWait(call->state, seen, deadline, FutexScope::kShared);
    if (cancellable) pthread_setcanceltype(cancel_type, nullptr);
  }
  region_.header()->sleepers.fetch_sub(1, std::memory_order_relaxed);
  return error == EINTR ? EINTR : 0;
}

std::optional<CallRequest> CallServer::Take(uint32_t index) {
  Call* call = region_.call(index);
  if (call == nullptr) return std::nullopt;
  if (!IsWithStack(call->state.load(std::memory_order_acquire))) return std::nullopt;
  // Read once, through volatile: the application may be changing it right now.
  const uint32_t op = *const_cast<volatile uint32_t*>(&call->op);
  CallRequest request;
  request.op = static_cast<Op>(op);
  request.socket = *const_cast<volatile uint32_t*>(&call->socket);
  request.argument = *const_cast<volatile uint32_t*>(&call->argument);
  if (!IsKnown(op) || (NamesASocket(request.op) && request.socket >= region_.socket_count())) {
    Complete(index, EINVAL, kNoIndex);
    return std::nullopt;
  }
  std::memcpy(&request.address, &call->address, sizeof(request.address));
  std::memcpy(&request.options, &call->options, sizeof(request.options));
  return request;
}

void CallServer::Complete(uint32_t index, int error, uint32_t socket) {
  Call* call = region_.call(index);
  if (call == nullptr) return;
  call->error = error;
  call->result_socket = socket;
  const uint32_t before = call->state.exchange(Word(CallState::kDone), std::memory_order_seq_cst);
  if (before == Word(CallState::kWaiting)) FutexWakeAll(call->state, FutexScope::kShared);
  if (before == Word(CallState::kPosted)) Free(call);
}

void CallServer::Hold(uint32_t index, int error, uint32_t socket) {
  Call* call = region_.call(index);
  if (call == nullptr) return;
  call->error = error;
  call->result_socket = socket;
  // Who sleeps on kWaiting sleeps on.
  call->state.store(Word(CallState::kHeld), std::memory_order_seq_cst);
}

void CallServer::Release(uint32_t index) {
  Call* call = region_.call(index);
  uint32_t held = Word(CallState::kHeld);
  if (call == nullptr || !call->state.compare_exchange_strong(held, Word(CallState::kDone),
                                                              std::memory_order_seq_cst)) {
    return;
  }
  FutexWakeAll(call->state, FutexScope::kShared);
}

void CallServer::FailAll(int error) {
  for (uint32_t index = 0; index < kCalls; ++index) {
    if (Take(index)) Complete(index, error, kNoIndex);
    Release(index);
  }
}

}  // namespace netchannel::ipc
