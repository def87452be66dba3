// SPDX-License-Identifier: Apache-2.0
#include "vns/status.h"

#include "vns/socket_core.h"

namespace netchannel {
namespace {

SocketStatus StatusOf(VirtualSocket& socket) {
  const SocketView& view = socket.RefreshView();
  return {
      .id = socket.id,
      .owner = socket.owner,
      .held = socket.held,
      .state = view.state,
      .error = view.error,
      .app_class = socket.traffic_class.app_class,
      .class_source = socket.traffic_class.source,
      .weight = socket.traffic_class.weight,
      .local = view.local,
      .peer = view.peer,
      .session = socket.session,
      .stream = socket.stream.valid() ? socket.stream_id : 0,
      .sent = socket.send.nxt(),
      .received = socket.receive.received(),
      .unread = socket.receive.unread(),
      .window = socket.receive.window(),
      .unacknowledged = socket.send.nxt() - socket.send.una(),
      .unsent = socket.send.written() - socket.send.nxt(),
      .delivered =
          !socket.stream.valid() || (socket.held ? socket.send.drained() : socket.send.complete()),
      .accept_ready = view.accept_ready,
  };
}

}  // namespace

std::vector<SocketStatus> SocketCore::List() const {
  std::vector<SocketStatus> list;
  for (SocketId id = 0; id < sockets.high_water(); ++id) {
    if (VirtualSocket* socket = sockets.Find(id)) list.push_back(StatusOf(*socket));
  }
  return list;
}

}  // namespace netchannel
