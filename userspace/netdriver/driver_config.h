// SPDX-License-Identifier: Apache-2.0
//
// What a NetDriver is told at start. Both ends of a session take the minimum where it says so.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/stream.h"
#include "base/units.h"
#include "netdriver/peer_networks.h"
#include "transport/connection.h"
#include "wire/address.h"
#include "wire/packet_layout.h"

namespace netchannel {

struct DriverConfig {
  wire::LocalAddresses addresses;  // our own; peers of their families can be reached
  uint16_t base_port = 0;          // lane i is UDP port base_port + i
  uint8_t channels_per_class = 1;  // 1..8 of each class; both ends: the minimum
  uint8_t open_per_class = 8;      // of them open at first (Driver::OpenChannel); at least 1
  // Packet sizes are those for IPv4; to IPv6 peers the driver sends less by the longer IP header.
  transport::ConnectionConfig connection;
  ByteCount channel_backlog_limit = 256 * 1024;  // Enqueue refuses above it
  Duration handshake_timeout = Duration::Seconds(5);
  Duration idle_timeout = Duration::Seconds(60);  // a session without streams is closed after it
  Duration keepalive_interval = Duration::Seconds(10);
  uint32_t max_sessions = 4096;
  PeerNetworks networks;                         // the peers that are served, both ways
  Duration probe_time = Duration::Millis(200);   // who probes waits this long for an answer
  Duration absent_time = Duration::Seconds(30);  // and a negative one is remembered this long

  // Of a session, both classes together.
  uint8_t channel_limit() const {
    return static_cast<uint8_t>(std::clamp(2 * channels_per_class, 2, wire::kMaxChannels));
  }
};

// Channels alternate between the classes, so the first 2n of them are n of each.
inline AppClass ClassOfChannel(uint8_t index) {
  return index % 2 == 0 ? AppClass::kLatency : AppClass::kThroughput;
}

}  // namespace netchannel
