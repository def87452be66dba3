// SPDX-License-Identifier: Apache-2.0
//
// Ctrl-C and SIGTERM as a value: blocking calls return EINTR, loops ask InterruptRequested(), main
// returns and destructors run, so that the stack leaves nothing behind. A second signal kills at
// once. An alarm each second ends calls that the signal was too early for. Thread:
// InstallInterruptHandlers once, from main; InterruptRequested from any thread.
#pragma once

#include "absl/status/status.h"

namespace netchannel::cli {

void InstallInterruptHandlers();
bool InterruptRequested();

// The status of an operation that was cut short by a signal.
absl::Status InterruptedError();
// "OPERATION: strerror(errno)", or InterruptedError for EINTR after a signal.
absl::Status ErrnoError(const char* operation);

}  // namespace netchannel::cli
