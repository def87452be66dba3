// SPDX-License-Identifier: Apache-2.0
//
// Moving bytes over a known socket: what read, recv, recvmsg and their kin have in common.
//
// Thread: any. Errors: -1 and errno, as the calls.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include "netchannel/netchannel.h"
#include "preload/table.h"

namespace netchannel::preload {

// Where a call's bytes go.
enum class Path { kKernel, kVirtual, kFailed };

// For a call that may wait for the end of a connection attempt. kVirtual: *socket is set; kFailed:
// errno is.
Path PathOf(int fd, const Use& use, int flags, nc_socket** socket);

// `flags`: MSG_*. Sending with EPIPE raises SIGPIPE unless MSG_NOSIGNAL.
ssize_t Receive(nc_socket* socket, void* data, size_t length, int flags);
ssize_t ReceiveV(nc_socket* socket, const iovec* parts, int count, int flags);
ssize_t Send(nc_socket* socket, const void* data, size_t length, int flags);
ssize_t SendV(nc_socket* socket, const iovec* parts, int count, int flags);

}  // namespace netchannel::preload
