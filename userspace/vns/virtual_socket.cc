// SPDX-License-Identifier: Apache-2.0
#include "vns/virtual_socket.h"

namespace netchannel {

VirtualSocket::VirtualSocket() = default;
VirtualSocket::~VirtualSocket() = default;

const SocketView& VirtualSocket::RefreshView() {
  view.state = state;
  view.error = error;
  view.received = receive.readable_end();
  view.acknowledged = send.una();
  view.peer_fin = receive.complete() || read_shut;
  view.app_class = traffic_class.app_class;
  view.accept_ready = listener != nullptr ? static_cast<uint32_t>(listener->waiting.size()) : 0;
  view.local = hold.port != 0 ? wire::IpEndpoint{local_address, hold.port} : wire::IpEndpoint{};
  view.peer = peer;
  return view;
}

}  // namespace netchannel
