// SPDX-License-Identifier: Apache-2.0
#include "netdriver/status.h"

#include "netdriver/session.h"

namespace netchannel {
namespace {

ChannelStatus StatusOf(const PacketChannel& channel) {
  ChannelStatus status;
  status.index = channel.plan().index;
  status.app_class = channel.app_class();
  status.lane = channel.plan().lane;
  status.peer_port = channel.plan().remote.port;
  status.state = ChannelStateName(channel.state());
  status.failed = channel.failed();
  if (const transport::Connection* connection = channel.connection()) {
    status.backlog = connection->queued_bytes();
    status.bytes_in_flight = connection->bytes_in_flight();
    status.congestion_window = connection->congestion_window();
    status.packet_size = connection->packet_size();
    status.smoothed_rtt = connection->smoothed_rtt();
    status.min_rtt = connection->min_rtt();
    status.stats = connection->stats();
  }
  return status;
}

}  // namespace

SessionStatus StatusOf(const Session& session) {
  SessionStatus status{
      .handle = session.handle,
      .peer = session.peer,
      .up = session.up,
      .client = session.client,
      .congestion = static_cast<transport::CongestionAlgorithm>(session.congestion),
      .kernel_congestion = {},
      .references = session.references,
      .since = session.since,
      .last_received = session.last_received,
      .channels = {}};
  status.channels.reserve(session.channels.size());
  for (const auto& channel : session.channels) status.channels.push_back(StatusOf(*channel));
  return status;
}

}  // namespace netchannel
