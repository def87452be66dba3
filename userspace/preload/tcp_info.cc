// SPDX-License-Identifier: Apache-2.0
#include "preload/tcp_info.h"

#include <algorithm>

#include "client/socket.h"
#include "ipc/socket_slot.h"

namespace netchannel::preload {
namespace {

constexpr uint32_t kSegmentBytes = 1448;  // of an Ethernet path, with timestamps

uint8_t StateOf(nc_socket* socket) {
  const uint32_t flags = socket->Flags();
  if ((flags & ipc::kFlagDetached) != 0) return TCP_CLOSE;
  const bool sends = (socket->shut() & kShutWrite) == 0;
  switch (ipc::StateOf(flags)) {
    case ipc::SlotState::kListening:
      return TCP_LISTEN;
    case ipc::SlotState::kConnecting:
      return TCP_SYN_SENT;
    case ipc::SlotState::kConnected:
      if (ipc::PeerFin(flags)) return sends ? TCP_CLOSE_WAIT : TCP_LAST_ACK;
      return sends ? TCP_ESTABLISHED : TCP_FIN_WAIT1;
    default:
      return TCP_CLOSE;
  }
}

}  // namespace

tcp_info DescribeTcp(nc_socket* socket) {
  tcp_info info{};
  info.tcpi_state = StateOf(socket);
  info.tcpi_options = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE;
  info.tcpi_snd_mss = info.tcpi_rcv_mss = info.tcpi_advmss = kSegmentBytes;
  info.tcpi_pmtu = 1500;
  int queued = 0;
  nc_getopt(socket, NC_SEND_QUEUE, &queued);
  info.tcpi_unacked = (static_cast<uint32_t>(queued) + kSegmentBytes - 1) / kSegmentBytes;
  int limit = 0;
  nc_getopt(socket, NC_SEND_BUFFER, &limit);
  info.tcpi_snd_cwnd = std::max(static_cast<uint32_t>(limit) / kSegmentBytes, 1u);
  return info;
}

}  // namespace netchannel::preload
