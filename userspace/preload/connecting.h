// SPDX-License-Identifier: Apache-2.0
//
// Connection attempts whose outcome is not known yet (kConnecting). The program waits for a
// descriptor to become writable; when the attempt shows that the peer has no NetChannel, the
// kernel's connect() starts, and the program goes on waiting as if nothing had happened.
//
// Thread: any.
#pragma once

#include <atomic>

#include "preload/description.h"

namespace netchannel::preload {

namespace internal {
extern std::atomic<int> connecting_count;
}

inline bool AnyConnecting() {
  return internal::connecting_count.load(std::memory_order_acquire) != 0;
}

// A wait set has reported `socket`, which may be that of an attempt: then its outcome is acted on.
// False: it is the kernel's connection now, and the event means nothing.
bool SettleForEvent(const nc_socket* socket);

// The attempt of `description` has begun, or is over. Precondition: Mutex().
void EnterConnecting(Description* description);
void LeaveConnecting(Description* description);

}  // namespace netchannel::preload
