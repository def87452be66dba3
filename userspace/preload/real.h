// SPDX-License-Identifier: Apache-2.0
//
// libc's own functions under the names that this library takes over, found with dlsym(RTLD_NEXT):
// the next library that has them, which may be another interposer's.
//
// The library's own code calls them as Real().close(...). What is linked into it (the client, ipc,
// libstdc++) calls plain close(): the linker's --wrap turns that into Real().close as well
// (real_wrapped.cc), so nothing inside ever meets the library's own wrappers.
//
// Thread: any, also before constructors have run: other libraries' constructors call libc.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>

// It moves such a list at each run.
// clang-format off
#define NETCHANNEL_PRELOAD_REAL_CALLS(X) \
  X(read) X(write) X(readv) X(writev) X(preadv2) X(pwritev2) X(send) X(sendto) X(sendmsg) \
  X(sendmmsg) X(recv) X(recvfrom) X(recvmsg) X(recvmmsg) X(sendfile) X(splice) X(socket) \
  X(bind) X(listen) X(accept) X(accept4) X(connect) X(shutdown) X(getsockname) X(getpeername) \
  X(getsockopt) X(setsockopt) X(sockatmark) X(close) X(close_range) X(dup) X(dup2) X(dup3) \
  X(fcntl) X(ioctl) X(poll) X(ppoll) X(select) X(pselect) X(epoll_ctl) X(epoll_wait) \
  X(epoll_pwait) X(epoll_pwait2) X(execve) X(execvpe) X(fexecve) X(execveat) X(posix_spawn) \
  X(posix_spawnp) X(system) X(popen) X(clone) X(vfork) X(fdopen) X(fileno) X(vdprintf) \
  X(bindresvport)
// clang-format on

namespace netchannel::preload {

struct RealCalls {
#define X(name) decltype(&::name) name;
  NETCHANNEL_PRELOAD_REAL_CALLS(X)
#undef X
};

namespace internal {
extern RealCalls real_calls;
extern std::atomic<bool> real_calls_known;
void FindRealCalls();
}  // namespace internal

inline const RealCalls& Real() {
  if (!internal::real_calls_known.load(std::memory_order_acquire)) [[unlikely]] {
    internal::FindRealCalls();
  }
  return internal::real_calls;
}

// A system call past libc: -errno on failure.
long RawSystemCall(long number, long a, long b, long c, long d, long e, long f);

// Of a descriptor that the library has made. Not a cancellation point, as libc's close() is: there
// a thread would end with the descriptor open. errno stays.
void CloseOwn(int fd);

// While it lives, the client's sleeps on this thread are cancellation points, as the POSIX calls
// are that they stand in for. Not around calls that must not end half done.
class CancellationPoint {
 public:
  CancellationPoint() { ++depth_; }
  ~CancellationPoint() { --depth_; }
  CancellationPoint(const CancellationPoint&) = delete;
  CancellationPoint& operator=(const CancellationPoint&) = delete;
  static bool Active() { return depth_ > 0; }

 private:
  static thread_local constinit int depth_ __attribute__((tls_model("initial-exec")));
};

}  // namespace netchannel::preload
