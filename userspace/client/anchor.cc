// SPDX-License-Identifier: Apache-2.0
//
// nc_socket_fd too.
#include "client/anchor.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/process.h"

namespace netchannel {

int MakeAnchor(nc_socket* socket) {
  uint32_t none = 0;
  if (!socket->client->anchored.compare_exchange_strong(none, 1, std::memory_order_acq_rel)) {
    return EBUSY;
  }
  const ipc::AnchorName name = {socket->home->region_id, socket->index,
                                socket->client->generation.load(std::memory_order_relaxed)};
  int ends[2];
  int error = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    error = errno;
  } else if (!ipc::BindAnchorName(ends[1], name)) {
    error = errno;
    close(ends[0]);
    close(ends[1]);
  } else if (!socket->home->link->SendAnchor(socket->index, ends[1], ipc::SocketCookie(ends[0]))) {
    error = ENETDOWN;
    close(ends[0]);
  }
  if (error != 0) {
    socket->client->anchored.store(0, std::memory_order_release);
    return error;
  }
  socket->anchor = ends[0];
  socket->owns_anchor = true;
  return 0;
}

}  // namespace netchannel

using netchannel::Fail;

extern "C" {

int nc_socket_fd(nc_socket* socket) {
  if (!socket->home->shareable()) {
    return Fail(ENOTSUP, "a socket of an embedded stack has no descriptor: use the daemon");
  }
  const std::lock_guard lock(netchannel::Process::Get().mutex());
  if (socket->anchor < 0) {
    if (const int error = netchannel::MakeAnchor(socket); error != 0) return Fail(error);
  }
  socket->owns_anchor = false;
  return socket->anchor;
}

}  // extern "C"
