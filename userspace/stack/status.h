// SPDX-License-Identifier: Apache-2.0
//
// What `netchannel status` shows of a stack, as one JSON document: the interface and how the
// program is attached, queues and lanes with their mode, sessions and channels, sockets and whose
// they are, what went over the kernel's TCP instead, and every counter of what was dropped and why.
// Fields are added, never renamed: scripts read them. What AF_XDP alone has (device, steering,
// lanes, verdicts) is not in the document of a stack over the kernel's TCP.
//
// Thread: the one that holds the lease. Cost: allocates; grows with sessions and sockets, of which
// at most kMaxRows each are listed (the totals are always there).
#pragma once

#include <string>
#include <vector>

#include "stack/bridge.h"
#include "stack/config.h"
#include "stack/host.h"
#include "stack/live_interface.h"
#include "stack/thread_priority.h"
#include "wire/address.h"

namespace netchannel {

// Of netchanneld's own.
struct DaemonFacts {
  size_t applications = 0;  // regions: a process and those it shares them with
  size_t connections = 0;   // to its control socket
  size_t descriptors = 0;   // that stand for sockets
  int guardian = -1;        // process; -1: there is none, see daemon/guardian.h
  uint32_t guardian_restarts = 0;
};

// `daemon`: null for a stack inside a program.
std::string BuildStatus(const Config& config, const LiveInterface& interface, Host& host,
                        const Bridge& bridge, const ThreadPriority::Status& thread,
                        const DaemonFacts* daemon = nullptr);

}  // namespace netchannel
