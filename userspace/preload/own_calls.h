// SPDX-License-Identifier: Apache-2.0
//
// The library's wrappers, for its own code in other files: own_read() and so on. Their plain names
// mean libc's there, since the linker's --wrap does not ask which file a call is in
// (real_wrapped.cc). The file that defines a wrapper also says NETCHANNEL_OWN_CALL(name).
#pragma once

#include "preload/real.h"

#define NETCHANNEL_OWN_CALL(name) \
  extern "C" decltype(::name) own_##name __attribute__((alias(#name), visibility("hidden")))

// It moves such a list at each run.
// clang-format off
#define NETCHANNEL_PRELOAD_OWN_CALLS(X) \
  X(read) X(write) X(readv) X(writev) X(preadv2) X(pwritev2) X(send) X(recv) X(recvfrom) \
  X(sendmsg) X(recvmsg) X(sendmmsg) X(recvmmsg) X(sendfile) X(socket) X(bind) X(listen) \
  X(accept) X(accept4) X(connect) X(shutdown) X(getsockname) X(getpeername) X(getsockopt) \
  X(setsockopt) X(close) X(close_range) X(dup) X(dup2) X(dup3) X(fcntl) X(ioctl) X(poll) \
  X(ppoll) X(select) X(epoll_ctl) X(epoll_wait) X(epoll_pwait) X(epoll_pwait2)
// clang-format on

extern "C" {
#define X(name) extern decltype(::name) own_##name;
NETCHANNEL_PRELOAD_OWN_CALLS(X)
#undef X
}
