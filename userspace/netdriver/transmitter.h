// SPDX-License-Identifier: Apache-2.0
//
// A byte's way out, at the end of which it is in a lane: handshake packets first, then the channels
// that have something to send, latency class first.
//
// Within a class channels take turns of kTurn packets. The latency class may leave the throughput
// class a quarter of a poll, no less; its packets are flushed before the other class's are built.
//
// Owner: the driver. Thread: the one that runs it. Errors: none; a lane without buffers is tried
// again at the next poll (LaneSet).
#pragma once

#include <cstddef>

#include "base/units.h"
#include "netdriver/active_channels.h"
#include "netdriver/handshaker.h"
#include "netdriver/lane_set.h"
#include "netdriver/session_life.h"
#include "netdriver/stream_table.h"

namespace netchannel {

class Transmitter {
 public:
  Transmitter(LaneSet* lanes, StreamTable* streams, NextHops* hops, ActiveChannels* active,
              Handshaker* handshaker, SessionLife* life);

  size_t Poll(Time now, size_t budget);
  // Something is left that a Poll at once would send.
  bool has_work() const { return has_work_; }
  // When to poll again for what waits for a buffer or a flush; infinite when nothing does.
  Time retry_time() const { return retry_time_; }
  // New work: the next NextTimeout is now.
  void SetHasWork() { has_work_ = true; }

 private:
  // Packets of one channel in a row: enough to share the cost of its cache misses, few enough that
  // others of its class wait some microseconds only.
  static constexpr size_t kTurn = 8;
  // A full device drains a batch of 32 packets in about this time.
  static constexpr Duration kRetry = Duration::Micros(20);
  // How often the transport's timers are looked at meanwhile.
  static constexpr Duration kBlockedCheck = Duration::Millis(1);

  size_t ServeClass(Time now, AppClass app_class, size_t budget);
  // One turn. Returns packets sent; `blocked` when the lane has no buffer.
  size_t ServeChannel(Time now, PacketChannel& channel, size_t budget, bool* blocked);

  LaneSet* lanes_;
  StreamTable* streams_;
  NextHops* hops_;
  ActiveChannels* active_;
  Handshaker* handshaker_;
  SessionLife* life_;
  bool has_work_ = false;
  Time retry_time_ = Time::Infinite();
};

}  // namespace netchannel
