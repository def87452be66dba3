// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "absl/strings/str_cat.h"

namespace netchannel::cli {

namespace {

// A signal that arrives just before a call blocks, or while it works, does not end it: after the
// first one an alarm rings until the command has ended.
constexpr unsigned kAlarmSeconds = 1;

volatile sig_atomic_t g_interrupted = 0;

void OnSignal(int) {
  g_interrupted = 1;
  alarm(kAlarmSeconds);
}

void OnAlarm(int) { alarm(kAlarmSeconds); }

}  // namespace

void InstallInterruptHandlers() {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // no SA_RESTART: blocking calls must return
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = OnAlarm;
  action.sa_flags = 0;
  sigaction(SIGALRM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool InterruptRequested() { return g_interrupted != 0; }

absl::Status InterruptedError() { return absl::CancelledError("interrupted"); }

absl::Status ErrnoError(const char* operation) {
  const int error = errno;
  if (error == EINTR && InterruptRequested()) return InterruptedError();
  return absl::ErrnoToStatus(error, operation);
}

}  // namespace netchannel::cli
