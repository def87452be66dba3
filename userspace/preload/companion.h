// SPDX-License-Identifier: Apache-2.0
//
// What a listener's virtual socket needs across exec(), what becomes of sockets that are found at
// the start of a process, and who may not have a virtual socket (listening.cc).
#pragma once

#include <cstdint>
#include <vector>

namespace netchannel::preload {

// `fd` is the anchor of the virtual socket of a listener, whose kernel socket has this cookie.
bool IsCompanion(int fd, uint64_t* cookie);

// At the start of a process: if `listener` is the one with that cookie, it is known from now on,
// with its virtual socket. False: it is not, or its daemon has gone.
bool RejoinAfterExec(int listener, int companion, uint64_t cookie);

// At the start of a process: `fd` may be a TCP socket that a program without this library has left
// to it (a supervisor's listener, a socket that is bound for workers to listen on). One that is not
// connected is known from now on; a listener gets its virtual socket when it is used, since most
// programs that inherit one never do. `earlier`: descriptors that may be copies of it.
void RecogniseKernelSocket(int fd, const std::vector<int>& earlier);

// The process has an io_uring: it may accept with it, which reaches the kernel's socket only.
bool UsesIoUring();

}  // namespace netchannel::preload
