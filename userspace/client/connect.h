// SPDX-License-Identifier: Apache-2.0
//
// A connection in one operation of the stack (ipc::Op::kOpen), where create, options and connect
// are one each, and each waits for a thread that may run on the same core. Who blocks is woken
// once, when the outcome is known.
//
// Thread: any. Errors: see OpenConnection.
#pragma once

#include <sys/socket.h>

#include "client/socket.h"

namespace netchannel {

struct OpenOptions {
  bool nonblocking = false;
  bool probe = false;  // NC_PROBE
  int app_class = -1;  // NC_CLASS; -1: not chosen
};

// As nc_socket_create, nc_setopt and nc_connect of a blocking or non-blocking socket without a send
// timeout. *error: 0, or errno. Null: there is no socket, and *error is not 0. A socket and an
// error: EINPROGRESS and EINTR leave the attempt going on; after others the socket is of no use.
nc_socket* OpenConnection(nc_stack* stack, const sockaddr* peer, socklen_t length,
                          const OpenOptions& options, int* error);

}  // namespace netchannel
