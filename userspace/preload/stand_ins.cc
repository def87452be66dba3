// SPDX-License-Identifier: Apache-2.0
#include "preload/stand_ins.h"

#include <errno.h>
#include <fcntl.h>

#include <atomic>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "client/attachment.h"
#include "client/socket.h"
#include "preload/real.h"
#include "preload/table.h"

namespace netchannel::preload {
namespace {

// Guarded by Mutex().
absl::flat_hash_set<Description*>& Sockets() {
  static auto* const sockets = new absl::flat_hash_set<Description*>();
  return *sockets;
}

// How many there are: most processes that fork have none.
constinit std::atomic<int> count{0};

}  // namespace

void PutUnderNumbers(int made, const Description* socket) {
  for (const int fd : socket->fds) {
    const int flags = Real().fcntl(fd, F_GETFD);
    Real().dup3(made, fd, (flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
  }
  CloseOwn(made);
}

bool MayStandIn(const nc_socket* socket) { return socket->home->own(); }

void StandIn(Description* socket) {
  if (Sockets().insert(socket).second) count.fetch_add(1, std::memory_order_relaxed);
}

void ForgetStandIns(Description* socket) {
  if (Sockets().erase(socket) != 0) count.fetch_sub(1, std::memory_order_relaxed);
}

int Anchor(Description* socket) {
  // Without numbers it is being closed.
  if (!Sockets().contains(socket) || socket->fds.empty()) return 0;
  nc_socket* const handle = socket->socket.load(std::memory_order_acquire);
  if (!MayStandIn(handle)) return EBADF;  // a forked child's: it has stayed the parent's alone
  const int anchor = nc_socket_fd(handle);
  if (anchor < 0) return errno;
  PutUnderNumbers(anchor, socket);
  ForgetStandIns(socket);
  return 0;
}

void AnchorAllLocked() {
  const int saved = errno;
  const std::vector<Description*> all(Sockets().begin(), Sockets().end());
  for (Description* socket : all) Anchor(socket);
  errno = saved;
}

void AnchorAll() {
  if (count.load(std::memory_order_relaxed) == 0 || Foreign()) return;
  const std::lock_guard lock(Mutex());
  AnchorAllLocked();
}

}  // namespace netchannel::preload
