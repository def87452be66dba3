// SPDX-License-Identifier: Apache-2.0
//
// Socket addresses of POSIX to and from those of the region: 16 bytes in network order, IPv4 in its
// mapped form (RFC 4291 section 2.5.5.2), the port in host order.
//
// Thread: any. Errors: errno values.
#pragma once

#include <sys/socket.h>

#include "ipc/abi.h"

namespace netchannel {

// 0, EINVAL (too short) or EAFNOSUPPORT.
int ParseSockaddr(const sockaddr* address, socklen_t length, ipc::Address* out);

// As getsockname() gives it: cut to *length, which becomes the whole length. Both may be NULL
// together.
void BuildSockaddr(const ipc::Address& address, sockaddr* out, socklen_t* length);

}  // namespace netchannel
