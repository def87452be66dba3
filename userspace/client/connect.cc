// SPDX-License-Identifier: Apache-2.0
//
// nc_connect.
#include <errno.h>

#include "client/address.h"
#include "client/socket.h"
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

}  // namespace
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
