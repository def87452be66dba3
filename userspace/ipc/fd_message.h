// SPDX-License-Identifier: Apache-2.0
//
// Messages with descriptors over a unix SOCK_SEQPACKET socket.
//
// Thread: any; each message is one system call. No locks, no allocation: fit for a forked child.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>

#include "absl/types/span.h"
#include "base/unique_fd.h"

namespace netchannel::ipc {

inline constexpr size_t kMaxMessageFds = 2;     // of a message of ours
inline constexpr size_t kMaxReceivedFds = 253;  // SCM_MAX_FD: of anybody's

// `fds` stay the caller's. `flags`: of sendmsg, MSG_NOSIGNAL is added. False: errno is set.
bool SendMessage(int socket, const void* data, size_t size, absl::Span<const int> fds,
                 int flags = 0);

struct ReceivedMessage {
  // Bytes; 0: the end of the connection; < 0: errno is set (EAGAIN: nothing there).
  ssize_t size = 0;
  // Close on exec. All that came, so that the receiver says where they are closed.
  std::array<UniqueFd, kMaxReceivedFds> fds;
  size_t fd_count = 0;
  bool truncated = false;  // more bytes came than fit, or more descriptors than are to be had
};
ReceivedMessage ReceiveMessage(int socket, void* buffer, size_t size, int flags = 0);

}  // namespace netchannel::ipc
