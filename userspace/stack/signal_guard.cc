// SPDX-License-Identifier: Apache-2.0
#include "stack/signal_guard.h"

#include <pthread.h>

namespace netchannel {
namespace {

// Those that say that the thread itself has gone wrong are not put off, and do not end a sleep:
// crash reporters and sanitizers handle them, mostly without SA_RESTART.
const sigset_t& Deferrable() {
  static const sigset_t deferrable = [] {
    sigset_t signals;
    sigfillset(&signals);
    for (const int fatal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
      sigdelset(&signals, fatal);
    }
    return signals;
  }();
  return deferrable;
}

enum class Disposition { kIgnored, kDefault, kRestarting, kInterrupting };

Disposition DispositionOf(int signal) {
  struct sigaction action;
  if (sigaction(signal, nullptr, &action) != 0) return Disposition::kIgnored;
  if ((action.sa_flags & SA_SIGINFO) == 0) {
    if (action.sa_handler == SIG_IGN) return Disposition::kIgnored;
    if (action.sa_handler == SIG_DFL) {
      const bool ignored =
          signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT;
      return ignored ? Disposition::kIgnored : Disposition::kDefault;
    }
  }
  return (action.sa_flags & SA_RESTART) != 0 ? Disposition::kRestarting
                                             : Disposition::kInterrupting;
}

}  // namespace

void SignalGuard::Shield() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state_); }

SignalGuard::~SignalGuard() {
  if (blocked_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  pthread_setcancelstate(cancel_state_, nullptr);
}

const sigset_t* SignalGuard::Block() {
  if (!blocked_) {
    pthread_sigmask(SIG_BLOCK, &Deferrable(), &before_);
    blocked_ = true;
  }
  return &before_;
}

bool SignalGuard::IsPending() const {
  sigset_t pending;
  if (sigpending(&pending) != 0 || sigisemptyset(&pending)) return false;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (sigismember(&pending, signal) != 1 || sigismember(&before_, signal) == 1) continue;
    // A blocked signal is pending even where it is ignored.
    if (DispositionOf(signal) != Disposition::kIgnored) return true;
  }
  return false;
}

// Of the signals that are pending we know which they are. Which one has ended a sleep nobody tells:
// it was one of those that have a handler and are not blocked, and when these differ, it is taken
// for one that interrupts.
ipc::LendResult SignalGuard::Outcome() const {
  sigset_t pending;
  if (sigpending(&pending) != 0) sigemptyset(&pending);
  bool restarting = false;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (sigismember(&before_, signal) == 1 || sigismember(&Deferrable(), signal) != 1) continue;
    if (!sleep_interrupted_ && sigismember(&pending, signal) != 1) continue;
    const Disposition disposition = DispositionOf(signal);
    if (disposition == Disposition::kInterrupting) return ipc::LendResult::kInterrupted;
    restarting |= disposition == Disposition::kRestarting;
  }
  if (restarting) return ipc::LendResult::kRestartable;
  // A handler that has removed itself (SA_RESETHAND), or no handler at all: a stop, for one.
  return sleep_interrupted_ ? ipc::LendResult::kInterrupted : ipc::LendResult::kRan;
}

BlockAllSignals::BlockAllSignals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
}

BlockAllSignals::~BlockAllSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace netchannel
