// SPDX-License-Identifier: Apache-2.0
//
// What the virtual sockets tell about themselves, as plain values for status output and metrics.
// Counters never go back; gauges are of now.
#pragma once

#include <cstdint>

#include "base/stream.h"
#include "base/units.h"
#include "vns/socket_layer.h"

namespace netchannel {

struct SocketStats {
  uint64_t connects = 0;  // opened by us and accepted by the peer
  uint64_t accepts = 0;   // opened by a peer and accepted by us
  uint64_t refused = 0;   // opened by a peer and refused by us
  uint64_t resets_sent = 0;
  uint64_t resets_received = 0;
  uint64_t resets_dropped = 0;   // no room to send them: see SocketTable::kResetReserve
  uint64_t violations = 0;       // records that break the protocol
  uint64_t timeouts = 0;         // connect, user and orphan timeouts
  uint64_t sessions_lost = 0;    // sessions that went down with streams on them
  ByteCount bytes_sent = 0;      // of streams, each once
  ByteCount bytes_received = 0;  // of streams, duplicates included
  // gauges
  uint32_t sockets = 0;  // of any kind, orphans and refusals included
  uint32_t streams = 0;
};

struct SocketStatus {
  SocketId id = 0;
  uint32_t owner = 0;
  bool held = false;  // false: closed by its application, finishing in the background
  SocketState state = SocketState::kIdle;
  int error = 0;
  AppClass app_class = AppClass::kThroughput;
  ClassSource class_source = ClassSource::kDefault;
  uint32_t weight = 1;
  wire::IpEndpoint local, peer;
  SessionHandle session;
  StreamId stream = 0;     // 0: none
  ByteCount sent = 0;      // of the stream, each byte once
  ByteCount received = 0;  // without gaps
  ByteCount unread = 0;
  ByteCount window = 0;          // what we let the peer send ahead of the reader
  ByteCount unacknowledged = 0;  // sent
  ByteCount unsent = 0;
  bool delivered = true;  // the peer has all that was written, and the FIN if the socket is closed
  uint32_t accept_ready = 0;
};

}  // namespace netchannel
