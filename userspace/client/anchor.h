// SPDX-License-Identifier: Apache-2.0
//
// Anchors: a real descriptor for a virtual socket. It is one end of a socket pair whose other end
// the daemon holds: the kernel counts the copies of ours (dup, fork, exec, SCM_RIGHTS), and when
// the last is closed, in whatever way, the daemon sees the end of its own and closes the virtual
// socket.
//
// The daemon's end is bound to an abstract name that says which socket it is (ipc/anchor_name.h),
// so that a process that finds the descriptor open, or is sent it, can ask for the name of its
// peer. The name is no secret and gives no right: to use the region one must show the descriptor
// itself, which the daemon knows by its socket's cookie.
//
// Nothing is ever sent through the pair, and the daemon has shut its end for reading: who writes to
// the descriptor past the library gets EPIPE. shutdown(2) past the library ends the socket.
//
// Thread: any.
#pragma once

#include <optional>

#include "client/socket.h"
#include "ipc/anchor_name.h"

namespace netchannel {

using AnchorName = ipc::AnchorName;

// Nothing: `fd` is no anchor.
inline std::optional<AnchorName> ReadAnchor(int fd) { return ipc::ReadAnchorName(fd); }

// Makes the socket's anchor; its handle owns it. 0, or errno: EMFILE, ENETDOWN, EBUSY (it has one
// already). Precondition: the process's mutex.
int MakeAnchor(nc_socket* socket);

}  // namespace netchannel
