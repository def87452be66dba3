// SPDX-License-Identifier: Apache-2.0
#include "netdriver/tcp/status.h"

#include "netdriver/tcp/kernel_socket.h"

namespace netchannel::tcp {
namespace {

ChannelStatus StatusOf(const Connection& connection) {
  ChannelStatus status;
  status.index = connection.index;
  status.app_class = connection.app_class;
  status.peer_port = connection.peer.port;
  status.backlog = connection.sender.backlog();
  status.bytes_in_flight = connection.sender.bytes_in_flight();
  if (const auto facts = ReadFacts(connection.fd.get())) {
    status.congestion_window = facts->congestion_window;
    status.packet_size = facts->segment_size;
    status.smoothed_rtt = facts->smoothed_rtt;
    status.min_rtt = facts->min_rtt;
    status.stats.packets_sent = facts->segments_sent;
    status.stats.packets_received = facts->segments_received;
    status.stats.packets_lost = facts->retransmitted;
  }
  return status;
}

}  // namespace

SessionStatus StatusOf(const Session& session) {
  SessionStatus status;
  status.handle = session.handle;
  status.peer = session.peer;
  status.up = session.up;
  status.client = session.client;
  status.references = session.references;
  status.since = session.since;
  status.last_received = session.last_received;
  if (!session.up) return status;
  for (uint8_t i = 0; i < session.channel_count; ++i) {
    const Connection* const connection = session.channels[i].connection.get();
    ChannelStatus& channel = status.channels.emplace_back();
    if (connection != nullptr) {
      channel = StatusOf(*connection);
      if (const auto facts = ReadFacts(connection->fd.get())) {
        status.kernel_congestion = facts->congestion;
      }
    } else {
      channel.index = i;
      channel.failed = true;
      channel.state = "failed";
    }
  }
  return status;
}

}  // namespace netchannel::tcp
