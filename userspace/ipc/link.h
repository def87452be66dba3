// SPDX-License-Identifier: Apache-2.0
//
// How an application reaches its stack: the region, and what shared memory cannot do (waking a
// sleeping stack; lending it a thread). Two kinds: embedded (stack/embedded.cc) and the daemon's.
//
// Thread: all functions from any thread of the application. Owner: the client library; destroying
// the link stops an embedded stack.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/units.h"

namespace netchannel::ipc {

enum class LendResult : uint8_t {
  kRan,          // the condition holds, or the deadline has passed, or the stack is stopping
  kInterrupted,  // a signal: EINTR, if the condition does not hold
  kRestartable,  // as kInterrupted, but the signal's handler has SA_RESTART
  kUnavailable,  // the stack cannot use the thread (a daemon, or another one runs it): sleep on a
                 // futex
};

class StackLink {
 public:
  virtual ~StackLink() = default;

  // The region, mapped in this process (layout: ipc/abi.h).
  virtual std::byte* region() = 0;
  virtual size_t region_size() const = 0;

  // Something is in the doorbell ring and RegionHeader::stack_sleeping was seen set, or the
  // application polls without waiting. An embedded stack may run one round on the calling thread
  // instead of waking its own.
  virtual void Wake() = 0;

  // Lends the calling thread: the stack polls, spins and sleeps on it until `done(argument)` is
  // true (asked between rounds, cheap, no side effects), `deadline` (CLOCK_MONOTONIC) has passed,
  // or a signal has come for the thread (noticed after the round it is in, within microseconds).
  // Spinning callers pass `spin` to keep the thread from sleeping.
  virtual LendResult Lend(bool (*done)(void*), void* argument, Time deadline, bool spin) = 0;

  // RegionHeader::sleepers has been raised: an application thread is about to sleep where only the
  // stack's own thread can wake it, which must be at work from now on. Cheap when it is.
  virtual void Attend() = 0;

  // The stack is to write `fd`, an eventfd that stays the caller's, when it wakes wait set `index`;
  // in place of an earlier one. False: no more descriptors.
  virtual bool SetWaitSetFd(uint32_t index, int fd) = 0;

  // Names the region among all of this host's, at random. 0: it is an embedded stack's, and not to
  // be shared.
  virtual uint64_t region_id() const { return 0; }

  // Gives the stack its end of the anchor of `slot` (client/anchor.h); the descriptor is consumed.
  // `cookie`: of our end (ipc/anchor_name.h). False: the stack has gone, or is embedded.
  virtual bool SendAnchor(uint32_t /*slot*/, int daemon_end, uint64_t /*cookie*/) {
    close(daemon_end);
    return false;
  }

  // Status as JSON, for `netchannel status`. Control plane.
  virtual std::string StatusJson() = 0;
};

// Starts a stack inside this process. `config` is the text of a TOML file (see the README for
// keys), may be empty when `interface` is given; `origin` names the text in messages, as a file's
// path. Defined in stack/embedded.cc; the only way from client to stack.
absl::StatusOr<std::unique_ptr<StackLink>> StartEmbeddedStack(std::string_view interface,
                                                              std::string_view config,
                                                              std::string_view origin);

}  // namespace netchannel::ipc
