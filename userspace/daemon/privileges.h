// SPDX-License-Identifier: Apache-2.0
//
// Giving up what the daemon needs only to start.
//
// Thread: before any other, but DropCapabilities. Errors: say which user, and what to do.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace netchannel {

// From root to `user` and its groups, with CAP_NET_RAW (to rebuild AF_XDP sockets) and CAP_IPC_LOCK
// (their memory) alone, and nothing that a program run from here could get back.
absl::Status BecomeUser(const std::string& user);

// All of them: for a process that needs none. It cannot fail.
void DropCapabilities();

// As many open files as the kernel allows: each socket takes one.
void RaiseFileLimit();

}  // namespace netchannel
