// SPDX-License-Identifier: Apache-2.0
//
// Control operations: one slot of shared memory a call, from a thread that waits to the stack and
// back.
//
// CallClient (application, any thread) takes a free slot, fills it, rings, and waits: it first lets
// Wake run the stack, then lends its thread, and only then sleeps on the slot's futex. A call
// always ends: the stack answers each, or fails them all when it goes (ENETDOWN). It is not ended
// by signals. Processes that share the region share the slots: one whose caller has died is used
// again, and what such a caller has created, and never knew, is closed. ExecuteHeld is for a call
// whose answer the stack holds back for as long as a peer likes: that one a signal ends. Post is
// for a call whose answer nobody needs: it waits for a free slot at most.
//
// CallServer (stack, the lease's thread) copies the arguments once, checks what can be checked
// without knowing the sockets, and answers. The stack makes one system call for an answer only when
// the caller sleeps.
#pragma once

#include <cstdint>
#include <optional>

#include "ipc/doorbell.h"
#include "ipc/link.h"
#include "ipc/region.h"

namespace netchannel::ipc {

struct CallRequest {
  Op op = Op::kCreate;
  uint32_t socket = kNoIndex;
  uint32_t argument = 0;
  Address address{};  // kBind, kConnect, kOpen, kReportFallback
  Options options{};  // kSetOptions, kOpen
};

// Whether the operation is one on CallRequest::socket.
constexpr bool NamesASocket(Op op) {
  return op != Op::kCreate && op != Op::kReportFallback && op != Op::kOpen;
}

struct CallResult {
  int error = 0;  // errno, 0 is success
  uint32_t socket = kNoIndex;
};

class CallClient {
 public:
  CallClient(const RegionView& region, StackLink* link);
  CallResult Execute(const CallRequest& request);
  // kOpen with kHoldAnswer. *interrupted: a signal has ended the wait, and the attempt goes on. A
  // cancellation point.
  CallResult ExecuteHeld(const CallRequest& request, bool* interrupted);
  void Post(const CallRequest& request);
  // From here on. No call is under way.
  void SetLink(StackLink* link) { link_ = link; }

 private:
  struct Claimed {
    Call* call;
    uint32_t index;
  };
  Claimed Claim();  // nullptr: the stack has gone
  bool ClaimOne(uint32_t index);
  // Frees the slots of callers that died in the middle of a call. False: there were none.
  bool Reclaim();
  void Submit(const Claimed& claimed, const CallRequest& request, CallState state);
  // False: the stack has gone. `interrupted`: see ExecuteHeld; null: only an answer ends it.
  bool Wait(Call* call, bool* interrupted);
  // 0, or EINTR.
  int Sleep(Call* call, Time deadline, bool cancellable);
  CallResult Run(const CallRequest& request, bool* interrupted);

  RegionView region_;
  StackLink* link_;
  DoorbellProducer doorbell_;
};

class CallServer {
 public:
  explicit CallServer(const RegionView& region) : region_(region) {}
  // The request in slot `index`, or nothing when none was submitted, or when it was nonsense: then
  // it has been answered with EINVAL.
  std::optional<CallRequest> Take(uint32_t index);
  void Complete(uint32_t index, int error, uint32_t socket);
  // The result is there for a caller that wants to hear of it only when Release is called. At most
  // once for each call taken.
  void Hold(uint32_t index, int error, uint32_t socket);
  // Nothing to do if the caller has not waited. Of a call that is another one by now: that caller
  // is told early, which is allowed.
  void Release(uint32_t index);
  // Answers every submitted call with `error`, and those that are held.
  void FailAll(int error);

 private:
  RegionView region_;
};

}  // namespace netchannel::ipc
