// SPDX-License-Identifier: Apache-2.0
//
// Socket options of virtual sockets. Those with a meaning for NetChannel go to the socket's NC_*
// options. The rest are asked of a kernel TCP socket of the library's own: whether the value is a
// legal one, and what a fresh socket has. What the program has set is remembered, and applied again
// when a candidate becomes a virtual socket.
//
// Thread: any.
#pragma once

#include <sys/socket.h>

#include "netchannel/netchannel.h"
#include "preload/description.h"

namespace netchannel::preload {

// 0 or errno. kCandidate and kListener keep the kernel's option up to date themselves.
int SetVirtualOption(Description* socket, int level, int name, const void* value, socklen_t length);
int GetVirtualOption(int fd, Description* socket, int level, int name, void* value,
                     socklen_t* length);

// Remembers what the program has set.
void SaveOption(Description* socket, int level, int name, const void* value, socklen_t length);
// All that has been saved, and the class that the environment says.
void ApplySavedOptions(Description* socket, nc_socket* to);

// Whether a connection must be made with more than what OpenOptions says (client/connect.h):
// something has been saved that the stack must know, or that changes how connect() waits.
bool NeedsPreparing(const Description* socket);

// SO_APP_TYPE (netchannel.h), which no kernel's socket knows: it is checked and kept here until the
// connection is known to be NetChannel's.
bool IsAppType(int level, int name);
int CheckAppType(const void* value, socklen_t length);
int GetSavedAppType(const Description* socket, void* value, socklen_t* length);

// Only the kernel's sockets do this: the connection is to be the kernel's.
bool NeedsKernel(int level, int name, const void* value, socklen_t length);

// The same, but a connection that is NetChannel's already takes such an option without effect: many
// programs set it and can do without.
bool PrefersKernel(int level, int name, const void* value, socklen_t length);
// kCandidate, to which that applies for another reason than an option.
void LeaveToKernelOnceUsed(Description* socket);

// A kernel TCP socket for questions; -1: none could be made.
int ReferenceSocket(int family);

}  // namespace netchannel::preload
