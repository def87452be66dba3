// SPDX-License-Identifier: Apache-2.0
//
// nc_connect too.
#include "client/connect.h"

#include <errno.h>

#include <new>

#include "client/address.h"
#include "client/attachment.h"
#include "client/stack.h"
#include "client/wait.h"
#include "ipc/socket_slot.h"

namespace netchannel {
namespace {

// What became of a connection attempt. 0, or errno.
int Outcome(nc_socket* socket) {
  if (ipc::StateOf(socket->Flags()) == ipc::SlotState::kConnected) return 0;
  const int error = TakeError(socket);
  return error != 0 ? error : ECONNABORTED;
}

int AwaitConnected(nc_socket* socket) {
  const Time deadline =
      DeadlineAfter(socket->client->send_timeout_ms.load(std::memory_order_relaxed));
  switch (WaitFor(socket, Condition::kConnected, 0, deadline)) {
    case WaitResult::kReady:
      return Outcome(socket);
    case WaitResult::kTimedOut:
      return EINPROGRESS;
    case WaitResult::kInterrupted:
      return EINTR;
  }
  return EINTR;
}

// The handle of what was opened in `slot`. Null: no memory, and it is closed again.
nc_socket* MakeHandle(nc_stack* stack, const std::shared_ptr<Attachment>& home, uint32_t slot,
                      const ipc::Options& options, bool nonblocking) {
  auto* socket = new (std::nothrow) nc_socket(stack, home, slot);
  if (socket == nullptr) {
    CloseSlot(home.get(), slot);
    return nullptr;
  }
  StartLife(socket, nullptr, nonblocking);
  KeepOptions(socket, options);
  socket->Register();
  return socket;
}

}  // namespace

nc_socket* OpenConnection(nc_stack* stack, const sockaddr* peer, socklen_t length,
                          const OpenOptions& options, int* error) {
  ipc::CallRequest request;
  request.op = ipc::Op::kOpen;
  request.argument = options.nonblocking ? 0 : ipc::kHoldAnswer;
  request.options = DefaultOptions();
  request.options.probe = options.probe ? 1 : 0;
  if (options.app_class >= 0) request.options.app_class = static_cast<uint8_t>(options.app_class);
  *error = ParseSockaddr(peer, length, &request.address);
  if (*error != 0) return nullptr;
  const auto home = stack->Home();
  if (home == nullptr) {
    *error = errno;
    return nullptr;
  }
  bool interrupted = false;
  const ipc::CallResult opened = options.nonblocking
                                     ? home->calls.Execute(request)
                                     : home->calls.ExecuteHeld(request, &interrupted);
  *error = opened.error;
  if (opened.error != EINPROGRESS) return nullptr;
  if (opened.socket >= home->region.socket_count()) {
    *error = EIO;
    return nullptr;
  }
  nc_socket* socket = MakeHandle(stack, home, opened.socket, request.options, options.nonblocking);
  if (socket == nullptr) {
    *error = ENOMEM;
  } else if (options.nonblocking) {
    home->link->Wake();
  } else {
    *error = interrupted ? EINTR : AwaitConnected(socket);
  }
  return socket;
}

}  // namespace netchannel

using netchannel::Fail;

extern "C" {

int nc_connect(nc_socket* socket, const struct sockaddr* address, socklen_t length) {
  netchannel::ipc::Address peer;
  if (const int error = netchannel::ParseSockaddr(address, length, &peer); error != 0) {
    return Fail(error);
  }
  int error = netchannel::Execute(socket, netchannel::ipc::Op::kConnect, peer);
  const bool nonblocking = socket->nonblocking();
  if (error == EINPROGRESS && nonblocking) socket->home->link->Wake();
  // EALREADY: an earlier attempt, interrupted by a signal, goes on; a blocking call joins it.
  if (!nonblocking && (error == EINPROGRESS || error == EALREADY)) {
    error = netchannel::AwaitConnected(socket);
  }
  return error == 0 ? 0 : Fail(error);
}

}  // extern "C"
