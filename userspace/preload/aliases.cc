// SPDX-License-Identifier: Apache-2.0
//
// Other names that libc has for the same calls: its own internal ones, which some programs use, the
// forms for 64-bit files, and what _FORTIFY_SOURCE makes of poll().
#include <stdarg.h>

#include "preload/own_calls.h"
#include "preload/real.h"

extern "C" {

[[noreturn]] void __chk_fail(void);

ssize_t __read(int fd, void* data, size_t length) { return own_read(fd, data, length); }
ssize_t __write(int fd, const void* data, size_t length) { return own_write(fd, data, length); }
ssize_t __send(int fd, const void* data, size_t length, int flags) {
  return own_send(fd, data, length, flags);
}
int __close(int fd) { return own_close(fd); }
int __connect(int fd, const struct sockaddr* address, socklen_t length) {
  return own_connect(fd, address, length);
}
int __dup2(int fd, int to) noexcept { return own_dup2(fd, to); }
int __poll(struct pollfd* fds, nfds_t count, int timeout) { return own_poll(fds, count, timeout); }
int __select(int count, fd_set* read_set, fd_set* write_set, fd_set* except_set,
             struct timeval* timeout) {
  return own_select(count, read_set, write_set, except_set, timeout);
}

int __fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return own_fcntl(fd, command, argument);
}
int fcntl64(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return own_fcntl(fd, command, argument);
}

// off_t has 64 bits wherever this library is built.
ssize_t sendfile64(int to, int from, off64_t* offset, size_t count) noexcept {
  return own_sendfile(to, from, offset, count);
}
ssize_t preadv64v2(int fd, const struct iovec* parts, int count, off64_t offset, int flags) {
  return own_preadv2(fd, parts, count, offset, flags);
}
ssize_t pwritev64v2(int fd, const struct iovec* parts, int count, off64_t offset, int flags) {
  return own_pwritev2(fd, parts, count, offset, flags);
}
static_assert(sizeof(off_t) == sizeof(off64_t));

int __poll_chk(struct pollfd* fds, nfds_t count, int timeout, size_t room) {
  if (room / sizeof(*fds) < count) __chk_fail();
  return own_poll(fds, count, timeout);
}
int __ppoll_chk(struct pollfd* fds, nfds_t count, const struct timespec* timeout,
                const sigset_t* mask, size_t room) {
  if (room / sizeof(*fds) < count) __chk_fail();
  return own_ppoll(fds, count, timeout, mask);
}

}  // extern "C"
