// SPDX-License-Identifier: Apache-2.0
//
// What needs the host's daemon: nc_stack_connect, nc_socket_adopt. In a file of its own, so that a
// program with an embedded stack does not link the way to the daemon.
#include <errno.h>

#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "client/anchor.h"
#include "client/process.h"
#include "client/socket.h"
#include "client/stack.h"
#include "ipc/daemon_link.h"

namespace netchannel {
namespace {

// The attachment to the region of `name`: one that the process has, or a new one. Null: errno is
// set.
std::shared_ptr<Attachment> Attach(const char* socket_path, int fd, const AnchorName& name) {
  Process& process = Process::Get();
  const std::lock_guard lock(process.mutex());
  if (auto known = process.Find(name.region_id); known != nullptr) return known;
  auto attachment = AttachTo(ipc::AttachByAnchor(socket_path != nullptr ? socket_path : "", fd));
  if (attachment == nullptr) {
    errno = ECONNRESET;  // the message says why
    return nullptr;
  }
  attachment->header->sharings.fetch_add(1, std::memory_order_relaxed);
  return attachment;
}

}  // namespace
}  // namespace netchannel

using netchannel::Fail;

extern "C" {

nc_stack* nc_stack_connect(const char* socket_path) {
  std::string path = socket_path != nullptr ? socket_path : "";
  std::shared_ptr<netchannel::Attachment> attachment;
  {
    const std::lock_guard lock(netchannel::Process::Get().mutex());
    attachment = netchannel::AttachTo(netchannel::ipc::ConnectToDaemon(path));
  }
  if (attachment == nullptr) return nullptr;
  auto* stack = new (std::nothrow)
      nc_stack(std::move(attachment), std::move(path), &netchannel::ipc::ConnectToDaemon);
  if (stack == nullptr) Fail(ENOMEM, "no memory for the stack's handle");
  return stack;
}

nc_socket* nc_socket_adopt(const char* socket_path, int fd) {
  const auto name = netchannel::ReadAnchor(fd);
  if (!name) {
    Fail(ENOTSOCK);
    return nullptr;
  }
  auto home = netchannel::Attach(socket_path, fd, *name);
  if (home == nullptr) return nullptr;
  const netchannel::ipc::SocketClient* client = home->region.client(name->slot);
  if (client == nullptr || client->generation.load(std::memory_order_acquire) != name->generation) {
    Fail(ECONNRESET, "the descriptor names a socket that is no more");
    return nullptr;
  }
  auto* socket = new (std::nothrow) nc_socket(nullptr, std::move(home), name->slot);
  if (socket == nullptr) {
    Fail(ENOMEM);
    return nullptr;
  }
  socket->anchor = fd;
  socket->Register();
  return socket;
}

}  // extern "C"
