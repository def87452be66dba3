// SPDX-License-Identifier: Apache-2.0
//
// Tells the stack of a connection that goes over the kernel's TCP, for its status. Not of those
// whose nc_connect said EPROTONOSUPPORT: these the stack has noted itself.
//
// Thread: any. Errors: errno values; nothing depends on the report.
#pragma once

#include <sys/socket.h>

#include "ipc/fallback.h"

struct nc_stack;

namespace netchannel {

int ReportFallback(nc_stack* stack, ipc::FallbackReason reason, const sockaddr* peer,
                   socklen_t length);

}  // namespace netchannel
