// SPDX-License-Identifier: Apache-2.0
//
// sendmsg, recvmsg and their forms for several messages. A Unix socket's recvmsg may bring
// descriptors (SCM_RIGHTS): those that are anchors of virtual sockets become known. What a Unix
// socket's sendmsg takes along is anchored first; the rest is the kernel's work alone. A listener
// goes without its virtual socket, for which a message that the program has made has no place: so
// it is the kernel's from then on, for sender and receiver.
#include <errno.h>

#include <climits>
#include <cstring>

#include "preload/io.h"
#include "preload/own_calls.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/sockets.h"
#include "preload/stand_ins.h"

namespace netchannel::preload {
namespace {

// Calls `visit(fd)` for each descriptor that `message` has.
template <typename F>
void ForEachDescriptor(const msghdr* message, F visit) {
  if (message == nullptr || message->msg_control == nullptr) return;
  if (message->msg_controllen < sizeof(cmsghdr)) return;
  const int saved = errno;
  auto* const all = const_cast<msghdr*>(message);
  for (cmsghdr* one = CMSG_FIRSTHDR(all); one != nullptr; one = CMSG_NXTHDR(all, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(one) + i * sizeof(fd), sizeof(fd));
      visit(fd);
    }
  }
  errno = saved;
}

void RecogniseReceived(const msghdr* message) {
  ForEachDescriptor(message, [](int fd) { Recognise(fd); });
}

void PrepareSent(const msghdr* message) {
  ForEachDescriptor(message, [](int fd) {
    const Use use(fd);
    if (!use || Foreign()) return;
    if (use->kind_now() == Kind::kListener) {
      ListenOnKernelAlone(fd, use.get());
    } else {
      const std::lock_guard lock(Mutex());
      Anchor(use.get());
    }
  });
}

int CountOf(const msghdr* message) {
  return message->msg_iovlen > INT_MAX ? -1 : static_cast<int>(message->msg_iovlen);
}

ssize_t ReceiveMessage(nc_socket* socket, msghdr* message, int flags) {
  const ssize_t result = ReceiveV(socket, message->msg_iov, CountOf(message), flags);
  if (result >= 0) {
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    message->msg_flags = 0;
  }
  return result;
}

// Until the first that fails or, receiving, brings nothing.
template <typename Move>
int MoveEach(mmsghdr* messages, unsigned count, Move move) {
  unsigned done = 0;
  for (; done < count; ++done) {
    const ssize_t moved = move(&messages[done].msg_hdr, done);
    if (moved < 0) break;
    messages[done].msg_len = static_cast<unsigned>(moved);
  }
  return done > 0 || count == 0 ? static_cast<int>(done) : -1;
}

}  // namespace
}  // namespace netchannel::preload

using netchannel::preload::CountOf;
using netchannel::preload::Path;
using netchannel::preload::PathOf;
using netchannel::preload::Real;
using netchannel::preload::Use;

extern "C" {

ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  const Use use(fd);
  nc_socket* socket = nullptr;
  const Path path = PathOf(fd, use, flags, &socket);
  if (path == Path::kFailed) return -1;
  if (path == Path::kKernel) {
    netchannel::preload::PrepareSent(message);
    return Real().sendmsg(fd, message, flags);
  }
  return netchannel::preload::SendV(socket, message->msg_iov, CountOf(message), flags);
}

ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
  const Use use(fd);
  nc_socket* socket = nullptr;
  const Path path = PathOf(fd, use, flags, &socket);
  if (path == Path::kFailed) return -1;
  if (path == Path::kVirtual) return netchannel::preload::ReceiveMessage(socket, message, flags);
  const ssize_t result = Real().recvmsg(fd, message, flags);
  if (result >= 0) netchannel::preload::RecogniseReceived(message);
  return result;
}

int sendmmsg(int fd, struct mmsghdr* messages, unsigned count, int flags) {
  const Use use(fd);
  nc_socket* socket = nullptr;
  const Path path = PathOf(fd, use, flags, &socket);
  if (path == Path::kFailed) return -1;
  if (path == Path::kKernel) {
    for (unsigned i = 0; i < count; ++i) netchannel::preload::PrepareSent(&messages[i].msg_hdr);
    return Real().sendmmsg(fd, messages, count, flags);
  }
  return netchannel::preload::MoveEach(messages, count, [&](msghdr* message, unsigned) {
    return netchannel::preload::SendV(socket, message->msg_iov, CountOf(message), flags);
  });
}

int recvmmsg(int fd, struct mmsghdr* messages, unsigned count, int flags,
             struct timespec* timeout) {
  const Use use(fd);
  nc_socket* socket = nullptr;
  const Path path = PathOf(fd, use, flags, &socket);
  if (path == Path::kFailed) return -1;
  if (path == Path::kKernel) {
    const int result = Real().recvmmsg(fd, messages, count, flags, timeout);
    for (int i = 0; i < result; ++i) {
      netchannel::preload::RecogniseReceived(&messages[i].msg_hdr);
    }
    return result;
  }
  // As the kernel: the timeout is looked at after each message, and MSG_WAITFORONE waits once.
  const int64_t end = timeout == nullptr
                          ? INT64_MAX
                          : netchannel::preload::NowNanos() +
                                int64_t{timeout->tv_sec} * 1'000'000'000 + timeout->tv_nsec;
  const bool wait_for_one = (flags & MSG_WAITFORONE) != 0;
  flags &= ~MSG_WAITFORONE;
  return netchannel::preload::MoveEach(
      messages, count, [&](msghdr* message, unsigned at) -> ssize_t {
        if (at > 0 && netchannel::preload::NowNanos() >= end) return -1;
        const int now = at > 0 && wait_for_one ? flags | MSG_DONTWAIT : flags;
        return netchannel::preload::ReceiveMessage(socket, message, now);
      });
}

}  // extern "C"

NETCHANNEL_OWN_CALL(sendmsg);
NETCHANNEL_OWN_CALL(recvmsg);
NETCHANNEL_OWN_CALL(sendmmsg);
NETCHANNEL_OWN_CALL(recvmmsg);
