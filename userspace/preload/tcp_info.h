// SPDX-License-Identifier: Apache-2.0
//
// TCP_INFO of a virtual socket: what programs look at, in terms of TCP. The state, the options and
// the queue are the socket's; sizes are those of the path that most have; round trips, losses and
// windows belong to channels that many sockets share, and are 0.
//
// Thread: any.
#pragma once

#include <netinet/tcp.h>

#include "netchannel/netchannel.h"

namespace netchannel::preload {

tcp_info DescribeTcp(nc_socket* socket);

}  // namespace netchannel::preload
