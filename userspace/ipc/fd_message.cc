// SPDX-License-Identifier: Apache-2.0
#include "ipc/fd_message.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace netchannel::ipc {
namespace {

template <size_t kFds>
union Control {
  cmsghdr align;
  char bytes[CMSG_SPACE(kFds * sizeof(int))];
};

}  // namespace

bool SendMessage(int socket, const void* data, size_t size, absl::Span<const int> fds, int flags) {
  iovec part{const_cast<void*>(data), size};
  Control<kMaxMessageFds> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty() && fds.size() <= kMaxMessageFds) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(head), fds.data(), fds.size() * sizeof(int));
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(size);
}

ReceivedMessage ReceiveMessage(int socket, void* buffer, size_t size, int flags) {
  iovec part{buffer, size};
  Control<kMaxReceivedFds> control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  ReceivedMessage received;
  do {
    received.size = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  } while (received.size < 0 && errno == EINTR);
  if (received.size < 0) return received;
  received.truncated = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(fd));
      UniqueFd owned(fd);
      if (received.fd_count < kMaxReceivedFds) received.fds[received.fd_count++] = std::move(owned);
    }
  }
  return received;
}

}  // namespace netchannel::ipc
