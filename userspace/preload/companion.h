// SPDX-License-Identifier: Apache-2.0
//
// What a listener's virtual socket needs across exec(), and who may not have one (listening.cc).
#pragma once

#include <cstdint>

namespace netchannel::preload {

// `fd` is the anchor of the virtual socket of a listener, whose kernel socket has this cookie.
bool IsCompanion(int fd, uint64_t* cookie);

// At the start of a process: if `listener` is the one with that cookie, it is known from now on,
// with its virtual socket. False: it is not, or its daemon has gone.
bool RejoinAfterExec(int listener, int companion, uint64_t cookie);

// The process has an io_uring: it may accept with it, which reaches the kernel's socket only.
bool UsesIoUring();

}  // namespace netchannel::preload
