// SPDX-License-Identifier: Apache-2.0
//
// The name of an anchor: the abstract unix address that the client binds the daemon's end of the
// pair to (client/anchor.h), so that the holder of the other end can ask for it.
//
//   \0netchannel/<region, 16 hex digits>/<slot>/<generation>
//
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>

namespace netchannel::ipc {

struct AnchorName {
  uint64_t region_id = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
};

// What the kernel calls a socket, by whatever descriptor; no two sockets of a host are called the
// same (SO_COOKIE, socket(7); the host's and not its network namespace's since Linux 5.10). 0: `fd`
// is no socket.
uint64_t SocketCookie(int fd);

// Names the daemon's end. False: errno is set.
bool BindAnchorName(int daemon_end, const AnchorName& name);
// Of the application's end. Nothing: `fd` is no anchor.
std::optional<AnchorName> ReadAnchorName(int fd);

}  // namespace netchannel::ipc
