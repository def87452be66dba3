// SPDX-License-Identifier: Apache-2.0
//
// getsockopt and setsockopt, fcntl and ioctl.
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "preload/call_result.h"
#include "preload/descriptors.h"
#include "preload/options.h"
#include "preload/own_calls.h"
#include "preload/real.h"
#include "preload/sockets.h"
#include "preload/table.h"

namespace netchannel::preload {
namespace {

// The virtual socket that has the program's O_NONBLOCK. Null: the kernel's has.
nc_socket* HoldsFlags(const Use& use) {
  const Kind kind = use->kind_now();
  if (kind != Kind::kVirtual && kind != Kind::kListener) return nullptr;
  return use->socket.load(std::memory_order_acquire);
}

int SetNonblocking(nc_socket* socket, bool on) {
  return nc_setopt(socket, NC_NONBLOCK, on ? 1 : 0);
}

int GetFlags(int fd, nc_socket* socket) {
  const int flags = Real().fcntl(fd, F_GETFL);
  if (flags < 0) return flags;
  int nonblocking = 0;
  nc_getopt(socket, NC_NONBLOCK, &nonblocking);
  return (flags & ~O_NONBLOCK) | (nonblocking != 0 ? O_NONBLOCK : 0);
}

// SIGIO comes from the kernel's sockets only.
void NoteAsync(const Use& use) {
  if (use->kind_now() == Kind::kCandidate) LeaveToKernelOnceUsed(use.get());
}

int IoctlVirtual(int fd, const Use& use, nc_socket* socket, unsigned long request, void* argument) {
  int number = 0;
  switch (request) {
    case FIONREAD:
      nc_getopt(socket, NC_RECEIVE_QUEUE, &number);
      break;
    case SIOCOUTQ:
    case SIOCOUTQNSD:
      nc_getopt(socket, NC_SEND_QUEUE, &number);
      break;
    case SIOCATMARK:
      break;
    case FIONBIO:
      return SetNonblocking(socket, *static_cast<int*>(argument) != 0);
    case FIOCLEX:
    case FIONCLEX:
    case FIOASYNC:
    case FIOSETOWN:
    case FIOGETOWN:
      return Real().ioctl(fd, request, argument);
    default: {
      // Questions about interfaces, which any IP socket answers.
      const int reference = ReferenceSocket(use->family.load(std::memory_order_relaxed));
      return Real().ioctl(reference, request, argument);
    }
  }
  *static_cast<int*>(argument) = number;
  return 0;
}

int Ioctl(int fd, unsigned long request, void* argument) {
  const Use use(fd);
  if (!use) return Real().ioctl(fd, request, argument);
  Refresh(fd, use.get());
  nc_socket* const socket = HoldsFlags(use);
  if (use->kind_now() == Kind::kVirtual) return IoctlVirtual(fd, use, socket, request, argument);
  if (socket != nullptr && request == FIONBIO) {
    return SetNonblocking(socket, *static_cast<int*>(argument) != 0);
  }
  const int result = Real().ioctl(fd, request, argument);
  if (request == FIOASYNC && result == 0 && *static_cast<int*>(argument) != 0) NoteAsync(use);
  return result;
}

int Fcntl(int fd, int command, void* argument) {
  const Use use(fd);
  if (!use) {
    if (IsInternal(fd)) return Result(EBADF);
    return Real().fcntl(fd, command, argument);
  }
  if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
    return Copied(use, Real().fcntl(fd, command, argument));
  }
  if (command != F_GETFL && command != F_SETFL) return Real().fcntl(fd, command, argument);
  Refresh(fd, use.get());
  nc_socket* const socket = HoldsFlags(use);
  if (socket == nullptr) {
    // An attempt to connect goes on in both; the kernel's socket keeps the flag.
    nc_socket* const attempt = use->socket.load(std::memory_order_acquire);
    const int result = Real().fcntl(fd, command, argument);
    if (result == 0 && command == F_SETFL &&
        (reinterpret_cast<intptr_t>(argument) & O_ASYNC) != 0) {
      NoteAsync(use);
    }
    if (result == 0 && command == F_SETFL && use->kind_now() == Kind::kConnecting) {
      SetNonblocking(attempt, (reinterpret_cast<intptr_t>(argument) & O_NONBLOCK) != 0);
    }
    return result;
  }
  if (command == F_GETFL) return GetFlags(fd, socket);
  return SetNonblocking(socket, (reinterpret_cast<intptr_t>(argument) & O_NONBLOCK) != 0);
}

int SetOption(int fd, const Use& use, int level, int name, const void* value, socklen_t length) {
  Refresh(fd, use.get());
  const Kind kind = use->kind_now();
  if (kind == Kind::kVirtual)
    return Result(SetVirtualOption(use.get(), level, name, value, length));
  const int result = IsAppType(level, name) ? Result(CheckAppType(value, length))
                                            : Real().setsockopt(fd, level, name, value, length);
  if (result != 0 || value == nullptr) return result;
  SaveOption(use.get(), level, name, value, length);
  nc_socket* const beside = use->socket.load(std::memory_order_acquire);
  if (beside != nullptr) {
    const std::lock_guard lock(Mutex());
    ApplySavedOptions(use.get(), beside);
  }
  return result;
}

int GetOption(int fd, const Use& use, int level, int name, void* value, socklen_t* length) {
  Refresh(fd, use.get());
  const Kind kind = use->kind_now();
  if (kind == Kind::kVirtual) {
    return Result(GetVirtualOption(fd, use.get(), level, name, value, length));
  }
  if (level == SOL_SOCKET && name == SO_ERROR && value != nullptr && length != nullptr &&
      *length >= sizeof(int)) {
    if (const int error = use->error.exchange(0); error != 0) {
      *static_cast<int*>(value) = error;
      *length = sizeof(error);
      return 0;
    }
  }
  if (kind == Kind::kConnecting && level == IPPROTO_TCP && name == TCP_INFO) {
    return Result(GetVirtualOption(fd, use.get(), level, name, value, length));
  }
  if (IsAppType(level, name)) return Result(GetSavedAppType(use.get(), value, length));
  return Real().getsockopt(fd, level, name, value, length);
}

}  // namespace
}  // namespace netchannel::preload

using netchannel::preload::Real;
using netchannel::preload::Use;

extern "C" {

int setsockopt(int fd, int level, int name, const void* value, socklen_t length) noexcept {
  const Use use(fd);
  if (!use) return Real().setsockopt(fd, level, name, value, length);
  return netchannel::preload::SetOption(fd, use, level, name, value, length);
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* length) noexcept {
  const Use use(fd);
  if (!use) return Real().getsockopt(fd, level, name, value, length);
  return netchannel::preload::GetOption(fd, use, level, name, value, length);
}

int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return netchannel::preload::Fcntl(fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return netchannel::preload::Ioctl(fd, request, argument);
}

int sockatmark(int fd) noexcept {
  const Use use(fd);
  if (!use || use->kind_now() != netchannel::preload::Kind::kVirtual) return Real().sockatmark(fd);
  return 0;
}

}  // extern "C"

NETCHANNEL_OWN_CALL(getsockopt);
NETCHANNEL_OWN_CALL(setsockopt);
NETCHANNEL_OWN_CALL(fcntl);
NETCHANNEL_OWN_CALL(ioctl);
