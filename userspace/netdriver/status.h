// SPDX-License-Identifier: Apache-2.0
//
// A driver's sessions and channels as plain values, for status output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/stream.h"
#include "base/units.h"
#include "transport/connection.h"
#include "wire/address.h"

namespace netchannel {

struct ChannelStatus {
  uint8_t index = 0;
  AppClass app_class = AppClass::kThroughput;
  uint32_t lane = 0;           // ours
  uint16_t peer_port = 0;      // of the peer's lane
  const char* state = "open";  // open, draining, resting, failed
  bool failed = false;
  ByteCount backlog = 0;  // bytes enqueued and not yet sent
  ByteCount bytes_in_flight = 0;
  ByteCount congestion_window = 0;
  ByteCount packet_size = 0;  // bytes; the confirmed path MTU
  Duration smoothed_rtt;
  Duration min_rtt;
  transport::Connection::Stats stats;
};

struct SessionStatus {
  SessionHandle handle;
  wire::IpEndpoint peer;
  bool up = false;      // else connecting
  bool client = false;  // this host opened it
  transport::CongestionAlgorithm congestion = transport::CongestionAlgorithm::kCubic;
  std::string kernel_congestion;  // over TCP: the kernel's name of what it uses instead
  uint32_t references = 0;        // streams that hold it open
  Time since;                     // up since
  Time last_received;
  std::vector<ChannelStatus> channels;
};

struct Session;
SessionStatus StatusOf(const Session& session);

}  // namespace netchannel
