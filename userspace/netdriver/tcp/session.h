// SPDX-License-Identifier: Apache-2.0
//
// Everything between us and one other host, over TCP: its channels and who needs them.
//
//   connecting --WELCOME / the peer's HELLO--> up --CLOSE, all connections lost, idle--> gone
//
// The end whose HELLO made it is the client: it opens the connections, and again those that fail.
// Streams are opened by the client alone; what the other end opens runs in a session of its own. So
// nobody who connects to us can make himself the destination of what we connect to.
//
// Owner: the session table. Thread: the one that runs the driver. Bounds: kMaxChannels; `orphans`,
// by what one failed channel held.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/stream.h"
#include "base/timer_wheel.h"
#include "base/units.h"
#include "netdriver/session_port.h"
#include "netdriver/tcp/connection.h"
#include "wire/address.h"

namespace netchannel::tcp {

struct Channel {
  std::unique_ptr<Connection> connection;  // null: not there (yet, or any more)
  std::unique_ptr<Connection> dial;        // ours, on the way to be it
  Time dial_at = Time::Infinite();         // the next attempt
  Duration dial_pause;                     // and how long after it the one after
};

// The client's, until the session is up.
struct Attempt {
  Time give_up;
  Time probe_until = Time::Infinite();  // somebody wants to know by then whether the peer answers
  bool patient = false;                 // somebody waits until it gives up
  int error = 0;                        // of the last dial
};

struct Session {
  SessionHandle handle;
  wire::IpEndpoint peer;  // its stack: the address, and where it listens

  bool up = false;
  bool client = false;
  uint64_t token = 0;  // the server's choice
  Attempt attempt;

  Time since;          // up since
  Time last_received;  // anything
  Time last_ping;
  uint32_t ping_turn = 0;  // counts pings, which go over the channels in turn
  Time unused_since;       // when references became 0
  uint32_t references = 0;

  std::array<Channel, kMaxChannels> channels;
  uint8_t channel_count = 0;
  std::vector<ChannelInfo> infos;  // of those that are there
  std::vector<Segment> orphans;    // of failed channels, not yet taken by another

  Timer timer{this};

  absl::Span<Channel> all() { return {channels.data(), channel_count}; }
  absl::Span<const Channel> all() const { return {channels.data(), channel_count}; }
};

}  // namespace netchannel::tcp
