// SPDX-License-Identifier: Apache-2.0
//
// Notices the signals that come to an application's thread while it runs the stack.
//
// A handler that runs between two rounds leaves no trace that the thread could find. So after a
// while the thread blocks signals, looks between rounds whether one is pending, and sleeps with
// them unblocked (ppoll). What comes in the first kUnguarded of a call, before that, is as if it
// had come just before the call: a call that is over by then pays nothing, and two system calls per
// round trip, 0.2 us each, would be 5 % of it.
//
// Also keeps pthread_cancel() away from a thread that runs the stack, which would take the lease
// with it.
//
// Thread: the one it is made on. Blocked signals are let in when it is destroyed.
#pragma once

#include <signal.h>

#include "base/units.h"
#include "ipc/link.h"

namespace netchannel {

class SignalGuard {
 public:
  explicit SignalGuard(Time now) : since_(now), looked_(now) { Shield(); }
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

  // Between rounds: a signal is pending that the thread must take now. Looks every kLookPeriod.
  bool MustLeave(Time now) {
    if (now - since_ < kUnguarded || now - looked_ < kLookPeriod) return false;
    looked_ = now;
    Block();
    return IsPending();
  }

  // Before a sleep: the mask to sleep with.
  const sigset_t* Block();
  void OnInterruptedSleep() { sleep_interrupted_ = true; }

  // After MustLeave or an interrupted sleep: what the call that lent the thread makes of it.
  ipc::LendResult Outcome() const;

 private:
  static constexpr Duration kUnguarded = Duration::Micros(30);
  static constexpr Duration kLookPeriod = Duration::Micros(10);

  void Shield();
  bool IsPending() const;

  const Time since_;
  Time looked_;
  bool blocked_ = false;
  bool sleep_interrupted_ = false;
  int cancel_state_ = 0;
  sigset_t before_;
};

// A new thread of our own takes no signals: they are the application's.
class BlockAllSignals {
 public:
  BlockAllSignals();
  ~BlockAllSignals();
  BlockAllSignals(const BlockAllSignals&) = delete;
  BlockAllSignals& operator=(const BlockAllSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace netchannel
