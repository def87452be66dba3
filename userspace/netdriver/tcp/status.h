// SPDX-License-Identifier: Apache-2.0
//
// A session over TCP as plain values, in the words of netdriver/status.h: packets are the kernel's
// segments, the congestion window and the round trip are the kernel's, in flight is what the peer's
// stack has not acknowledged.
#pragma once

#include "netdriver/status.h"
#include "netdriver/tcp/session.h"

namespace netchannel::tcp {

SessionStatus StatusOf(const Session& session);

}  // namespace netchannel::tcp
