// SPDX-License-Identifier: Apache-2.0
//
// What the linker's --wrap puts in place of libc's calls in the libraries that are linked into this
// one (the client, ipc, Abseil, libstdc++): libc's own, past the wrappers. Each name here is in
// meson.build's list.
//
// None of them is a cancellation point: the client holds locks and descriptors around them. Where
// it sleeps for a program's call that is one, it says so (__wrap_syscall).
//
// Descriptors that the client makes for itself are the library's own from here on: out of the
// program's way, and safe from programs that close all that there might be.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cstring>

#include "preload/real.h"
#include "preload/table.h"

namespace netchannel::preload {
namespace {

template <typename F>
auto Uncancelled(F call) {
  int state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  const auto result = call();
  pthread_setcancelstate(state, nullptr);
  return result;
}

bool IsFutexSleep(long number, long operation) {
  if (number != SYS_futex) return false;
  const long command = operation & FUTEX_CMD_MASK;
  return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
}

// Those of SCM_RIGHTS in what the client has received.
void InternaliseReceived(msghdr* message) {
  for (cmsghdr* one = CMSG_FIRSTHDR(message); one != nullptr; one = CMSG_NXTHDR(message, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      unsigned char* const at = CMSG_DATA(one) + i * sizeof(int);
      int fd;
      std::memcpy(&fd, at, sizeof(fd));
      fd = Internalise(fd);
      std::memcpy(at, &fd, sizeof(fd));
    }
  }
}

}  // namespace
}  // namespace netchannel::preload

using netchannel::preload::Internalise;
using netchannel::preload::Real;
using netchannel::preload::Uncancelled;

extern "C" {

int __real_eventfd(unsigned initial, int flags);
int __real_eventfd_read(int fd, eventfd_t* value);
int __real_eventfd_write(int fd, eventfd_t value);
int __real_open64(const char* path, int flags, mode_t mode);

int __wrap_close(int fd) {
  netchannel::preload::ForgetInternal(fd);
  return Uncancelled([&] { return Real().close(fd); });
}
int __wrap_socket(int family, int type, int protocol) {
  return Internalise(Real().socket(family, type, protocol));
}
int __wrap_eventfd(unsigned initial, int flags) {
  return Internalise(__real_eventfd(initial, flags));
}
ssize_t __wrap_recvmsg(int fd, msghdr* message, int flags) {
  const ssize_t result = Uncancelled([&] { return Real().recvmsg(fd, message, flags); });
  if (result >= 0) netchannel::preload::InternaliseReceived(message);
  return result;
}

ssize_t __wrap_read(int fd, void* data, size_t length) {
  return Uncancelled([&] { return Real().read(fd, data, length); });
}
ssize_t __wrap_write(int fd, const void* data, size_t length) {
  return Uncancelled([&] { return Real().write(fd, data, length); });
}
ssize_t __wrap_writev(int fd, const iovec* parts, int count) {
  return Uncancelled([&] { return Real().writev(fd, parts, count); });
}
ssize_t __wrap_send(int fd, const void* data, size_t length, int flags) {
  return Uncancelled([&] { return Real().send(fd, data, length, flags); });
}
ssize_t __wrap_recv(int fd, void* data, size_t length, int flags) {
  return Uncancelled([&] { return Real().recv(fd, data, length, flags); });
}
ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags) {
  return Uncancelled([&] { return Real().sendmsg(fd, message, flags); });
}
int __wrap_bind(int fd, const sockaddr* address, socklen_t length) {
  return Real().bind(fd, address, length);
}
int __wrap_connect(int fd, const sockaddr* address, socklen_t length) {
  return Uncancelled([&] { return Real().connect(fd, address, length); });
}
int __wrap_getsockname(int fd, sockaddr* address, socklen_t* length) {
  return Real().getsockname(fd, address, length);
}
int __wrap_getpeername(int fd, sockaddr* address, socklen_t* length) {
  return Real().getpeername(fd, address, length);
}
int __wrap_getsockopt(int fd, int level, int name, void* value, socklen_t* length) {
  return Real().getsockopt(fd, level, name, value, length);
}
int __wrap_setsockopt(int fd, int level, int name, const void* value, socklen_t length) {
  return Real().setsockopt(fd, level, name, value, length);
}
int __wrap_shutdown(int fd, int how) { return Real().shutdown(fd, how); }
int __wrap_poll(pollfd* fds, nfds_t count, int timeout) {
  return Uncancelled([&] { return Real().poll(fds, count, timeout); });
}
int __wrap_ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  return Uncancelled([&] { return Real().ppoll(fds, count, timeout, mask); });
}
int __wrap_eventfd_read(int fd, eventfd_t* value) {
  return Uncancelled([&] { return __real_eventfd_read(fd, value); });
}
int __wrap_eventfd_write(int fd, eventfd_t value) {
  return Uncancelled([&] { return __real_eventfd_write(fd, value); });
}
// The client opens what there is, and makes nothing: no mode.
int __wrap_open64(const char* path, int flags, ...) {
  return Uncancelled([&] { return __real_open64(path, flags, 0); });
}
int __wrap_dup(int fd) { return Real().dup(fd); }
int __wrap_dup2(int fd, int to) { return Real().dup2(fd, to); }
int __wrap_dup3(int fd, int to, int flags) { return Real().dup3(fd, to, flags); }
int __wrap_ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return Real().ioctl(fd, request, argument);
}
int __wrap_fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return Real().fcntl(fd, command, argument);
}

// The client sleeps in futex() through it: a cancellation point where the call that brought it
// there is one.
long __wrap_syscall(long number, ...) {
  va_list arguments;
  va_start(arguments, number);
  long of[6];
  for (long& one : of) one = va_arg(arguments, long);
  va_end(arguments);
  const bool cancellable = netchannel::preload::CancellationPoint::Active() &&
                           netchannel::preload::IsFutexSleep(number, of[1]);
  int type = 0;
  if (cancellable) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
  const long result =
      netchannel::preload::RawSystemCall(number, of[0], of[1], of[2], of[3], of[4], of[5]);
  if (cancellable) pthread_setcanceltype(type, nullptr);
  if (result >= -4095 && result < 0) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}

}  // extern "C"
