// SPDX-License-Identifier: Apache-2.0
//
// syscall(): programs and runtimes that name a system call by its number (libuv closes that way)
// mean the same calls. Those on descriptors that the library knows go to its wrappers; all others
// to the kernel. So does io_uring_setup, after which new sockets stay the kernel's, and what makes
// processes, after virtual sockets have their anchors.
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "preload/own_calls.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/stand_ins.h"
#include "preload/table.h"

namespace netchannel::preload {
namespace {

struct Arguments {
  long a, b, c, d, e, f;
};

long Kernel(long number, const Arguments& of) {
  const long result = RawSystemCall(number, of.a, of.b, of.c, of.d, of.e, of.f);
  if (result >= -4095 && result < 0) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}

template <typename T>
T* Pointer(long value) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an argument of syscall()
  return reinterpret_cast<T*>(value);
}

int Int(long value) { return static_cast<int>(value); }
size_t Size(long value) { return static_cast<size_t>(value); }

// Calls whose first argument is a descriptor.
bool TakesDescriptor(long number) {
  switch (number) {
    case SYS_read:
    case SYS_write:
    case SYS_readv:
    case SYS_writev:
    case SYS_close:
    case SYS_sendto:
    case SYS_recvfrom:
    case SYS_sendmsg:
    case SYS_recvmsg:
    case SYS_sendmmsg:
    case SYS_recvmmsg:
    case SYS_accept:
    case SYS_accept4:
    case SYS_connect:
    case SYS_bind:
    case SYS_listen:
    case SYS_shutdown:
    case SYS_getsockname:
    case SYS_getpeername:
    case SYS_getsockopt:
    case SYS_setsockopt:
    case SYS_dup:
    case SYS_fcntl:
    case SYS_ioctl:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
#endif
      return true;
    default:
      return false;
  }
}

long OnStream(long number, const Arguments& of) {
  const int fd = Int(of.a);
  switch (number) {
    case SYS_read:
      return own_read(fd, Pointer<void>(of.b), Size(of.c));
    case SYS_write:
      return own_write(fd, Pointer<const void>(of.b), Size(of.c));
    case SYS_readv:
      return own_readv(fd, Pointer<const iovec>(of.b), Int(of.c));
    case SYS_writev:
      return own_writev(fd, Pointer<const iovec>(of.b), Int(of.c));
    case SYS_sendto:
      return own_send(fd, Pointer<const void>(of.b), Size(of.c), Int(of.d));
    case SYS_recvfrom:
      return own_recvfrom(fd, Pointer<void>(of.b), Size(of.c), Int(of.d), Pointer<sockaddr>(of.e),
                          Pointer<socklen_t>(of.f));
    case SYS_sendmsg:
      return own_sendmsg(fd, Pointer<const msghdr>(of.b), Int(of.c));
    case SYS_recvmsg:
      return own_recvmsg(fd, Pointer<msghdr>(of.b), Int(of.c));
    case SYS_sendmmsg:
      return own_sendmmsg(fd, Pointer<mmsghdr>(of.b), static_cast<unsigned>(of.c), Int(of.d));
    case SYS_recvmmsg:
      return own_recvmmsg(fd, Pointer<mmsghdr>(of.b), static_cast<unsigned>(of.c), Int(of.d),
                          Pointer<timespec>(of.e));
    default:
      return Kernel(number, of);
  }
}

long OnSocket(long number, const Arguments& of) {
  const int fd = Int(of.a);
  switch (number) {
    case SYS_close:
      return own_close(fd);
    case SYS_accept:
      return own_accept(fd, Pointer<sockaddr>(of.b), Pointer<socklen_t>(of.c));
    case SYS_accept4:
      return own_accept4(fd, Pointer<sockaddr>(of.b), Pointer<socklen_t>(of.c), Int(of.d));
    case SYS_connect:
      return own_connect(fd, Pointer<const sockaddr>(of.b), static_cast<socklen_t>(of.c));
    case SYS_bind:
      return own_bind(fd, Pointer<const sockaddr>(of.b), static_cast<socklen_t>(of.c));
    case SYS_listen:
      return own_listen(fd, Int(of.b));
    case SYS_shutdown:
      return own_shutdown(fd, Int(of.b));
    case SYS_getsockname:
      return own_getsockname(fd, Pointer<sockaddr>(of.b), Pointer<socklen_t>(of.c));
    case SYS_getpeername:
      return own_getpeername(fd, Pointer<sockaddr>(of.b), Pointer<socklen_t>(of.c));
    case SYS_getsockopt:
      return own_getsockopt(fd, Int(of.b), Int(of.c), Pointer<void>(of.d),
                            Pointer<socklen_t>(of.e));
    case SYS_setsockopt:
      return own_setsockopt(fd, Int(of.b), Int(of.c), Pointer<const void>(of.d),
                            static_cast<socklen_t>(of.e));
    case SYS_dup:
      return own_dup(fd);
    case SYS_fcntl:
      return own_fcntl(fd, Int(of.b), Pointer<void>(of.c));
    case SYS_ioctl:
      return own_ioctl(fd, static_cast<unsigned long>(of.b), Pointer<void>(of.c));
    case SYS_epoll_pwait2:
      return own_epoll_pwait2(fd, Pointer<epoll_event>(of.b), Int(of.c),
                              Pointer<const timespec>(of.d), Pointer<const sigset_t>(of.e));
    case SYS_epoll_pwait:
      return own_epoll_pwait(fd, Pointer<epoll_event>(of.b), Int(of.c), Int(of.d),
                             Pointer<const sigset_t>(of.e));
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
      return own_epoll_wait(fd, Pointer<epoll_event>(of.b), Int(of.c), Int(of.d));
#endif
    default:
      return OnStream(number, of);
  }
}

long Dispatch(long number, const Arguments& of) {
  if (TakesDescriptor(number)) {
    const bool sends = number == SYS_sendmsg || number == SYS_sendmmsg;
    return sends || Peek(Int(of.a)) != nullptr ? OnSocket(number, of) : Kernel(number, of);
  }
  switch (number) {
    case SYS_io_uring_setup:
      StayOnKernel();
      return Kernel(number, of);
    case SYS_socket:
      return own_socket(Int(of.a), Int(of.b), Int(of.c));
    case SYS_close_range:
      return own_close_range(static_cast<unsigned>(of.a), static_cast<unsigned>(of.b), Int(of.c));
    case SYS_dup3:
      return own_dup3(Int(of.a), Int(of.b), Int(of.c));
#ifdef SYS_dup2
    case SYS_dup2:
      return own_dup2(Int(of.a), Int(of.b));
#endif
#ifdef SYS_poll
    case SYS_poll:
      return own_poll(Pointer<pollfd>(of.a), static_cast<nfds_t>(of.b), Int(of.c));
#endif
    case SYS_ppoll:
      return own_ppoll(Pointer<pollfd>(of.a), static_cast<nfds_t>(of.b),
                       Pointer<const timespec>(of.c), Pointer<const sigset_t>(of.d));
    case SYS_epoll_ctl:
      return own_epoll_ctl(Int(of.a), Int(of.b), Int(of.c), Pointer<epoll_event>(of.d));
    case SYS_clone:
    case SYS_clone3:
#ifdef SYS_fork
    case SYS_fork:
#endif
      AnchorAll();
      return Kernel(number, of);
    default:
      return Kernel(number, of);
  }
}

}  // namespace
}  // namespace netchannel::preload

extern "C" long syscall(long number, ...) noexcept {
  va_list arguments;
  va_start(arguments, number);
  netchannel::preload::Arguments of;
  for (long* one : {&of.a, &of.b, &of.c, &of.d, &of.e, &of.f}) *one = va_arg(arguments, long);
  va_end(arguments);
  return netchannel::preload::Dispatch(number, of);
}
