// SPDX-License-Identifier: Apache-2.0
//
// Waiting on several descriptors of both kinds (poll, select, accept).
//
// What is virtual is looked at in shared memory; the kernel is asked about its own. When nothing is
// ready: one virtual socket alone is waited for on its futex; else the virtual ones go to a wait
// set of the thread's (poll_set.h), whose descriptor is polled with the kernel's.
//
// Thread: any.
#pragma once

#include <poll.h>
#include <signal.h>

#include <cstdint>

namespace netchannel::preload {

// Some of these descriptors the library knows; else the kernel's poll() does.
bool AnyKnown(pollfd* fds, nfds_t count);

// As ppoll(). `timeout_ns` < 0: no limit. -1 and errno.
int Poll(pollfd* fds, nfds_t count, int64_t timeout_ns, const sigset_t* mask);

// A signal handler has interrupted a call that the kernel would have restarted: all handlers that
// the program has are of the kind that restarts (SA_RESTART). For calls that are made of a poll().
bool RestartsCalls();

}  // namespace netchannel::preload
