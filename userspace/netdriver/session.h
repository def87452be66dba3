// SPDX-License-Identifier: Apache-2.0
//
// Everything between us and one other host: the state of its handshake, its channels, and who needs
// them.
//
//   connecting --ACCEPT / the peer's INIT--> up --CLOSE, STALE, a new INIT, all channels dead,
//   idle--> gone
//
// A session that is gone is removed from the table; its handle finds nothing any more.
// Owner: the session table. Thread: the one that runs the driver. Memory: bounded by the channel
// count, the connections' own bounds, and `orphans`, by what one failed channel held.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "base/intrusive_list.h"
#include "base/stream.h"
#include "base/timer_wheel.h"
#include "base/units.h"
#include "netdriver/handshake.h"
#include "netdriver/packet_channel.h"
#include "netdriver/peer_path.h"
#include "netdriver/session_port.h"
#include "wire/address.h"
#include "wire/handshake.h"

namespace netchannel {

// One of our ends of a channel, offered to the peer.
struct LaneOffer {
  uint32_t lane = 0;
  AppClass app_class = AppClass::kThroughput;
  uint64_t token = 0;
};

struct Session {
  SessionHandle handle;
  wire::IpEndpoint peer;  // its address and the port of its lane 0: names the peer's stack

  bool up = false;
  bool client = false;                     // whose INIT made it
  uint64_t nonce = 0;                      // of that INIT
  uint8_t congestion = 0;                  // transport::CongestionAlgorithm, once up
  std::optional<ClientHandshake> attempt;  // while connecting

  Time since;          // up since
  Time last_received;  // an authentic packet
  Time last_ping;
  Time unused_since;  // when references became 0
  uint32_t references = 0;

  PeerPath path;
  transport::ConnectionConfig connection;  // of its channels; fixed once up
  std::array<LaneOffer, wire::kMaxChannels> offers;
  uint8_t offer_count = 0;
  std::vector<std::unique_ptr<PacketChannel>> channels;  // empty until up
  std::vector<ChannelInfo> infos;                        // parallel to channels
  std::vector<Segment> orphans;  // of failed channels, not yet taken by another

  Timer timer{this};
  ListLink<Session> waiting_to_send;  // an INIT is due (handshaker.h)

  absl::Span<const LaneOffer> own_offers() const { return {offers.data(), offer_count}; }
  KnownSession known() const {
    return {.connecting = !up, .client = client, .nonce = nonce, .since = since};
  }
};

}  // namespace netchannel
