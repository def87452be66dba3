// SPDX-License-Identifier: Apache-2.0
#include "netdriver/status.h"

#include "netdriver/session.h"

namespace netchannel {
namespace {

ChannelStatus StatusOf(const PacketChannel& channel) {
  const transport::Connection& connection = channel.connection();
  return {.index = channel.plan().index,
          .app_class = channel.app_class(),
          .lane = channel.plan().lane,
          .peer_port = channel.plan().remote.port,
          .failed = channel.failed(),
          .backlog = connection.queued_bytes(),
          .bytes_in_flight = connection.bytes_in_flight(),
          .congestion_window = connection.congestion_window(),
          .packet_size = connection.packet_size(),
          .smoothed_rtt = connection.smoothed_rtt(),
          .min_rtt = connection.min_rtt(),
          .stats = connection.stats()};
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
