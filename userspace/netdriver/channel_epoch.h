// SPDX-License-Identifier: Apache-2.0
//
// The numbers that a channel keeps while it rests. Packet numbers are never reused (wire/README.md
// section 5), so a channel's second transport connection goes on where its first one ended: each
// connection counts from 1, and on the wire its numbers are those plus what came before it.
//
//   sent, received   the highest packet number of all earlier connections, each way
//   ce_sent          CE marks that those have told the peer of; ce_received: that they were told of
//
// A packet at or below `received` is a duplicate, whatever became of it: when it is the peer's only
// try, the peer misses its acknowledgement and sends the contents again. An ACK of numbers at or
// below `sent` says nothing new: a channel rests only when all of them have their verdict.
//
// Owner: PacketChannel. Thread: its. Errors: none.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/units.h"
#include "wire/packet_layout.h"

namespace netchannel {

class ChannelEpoch {
 public:
  // The connection's number of a packet that arrived; nullopt: an earlier connection's.
  std::optional<PacketNumber> Received(PacketNumber number) {
    if (number <= received_) return std::nullopt;
    highest_received_ = std::max(highest_received_, number);
    return number - received_;
  }
  // The number on the wire of a packet of the connection.
  PacketNumber Sent(PacketNumber number) {
    highest_sent_ = sent_ + number;
    return highest_sent_;
  }

  // An ACK of the connection's, as it goes out.
  void ToWire(wire::Ack& ack) {
    ack.largest += received_;
    ack.ce_count += ce_sent_;
    highest_ce_sent_ = ack.ce_count;
  }
  // An ACK of the peer's, as the connection knows the numbers. False: only of earlier ones.
  bool FromWire(wire::Ack& ack);

  // The connection is gone; the next one begins behind it.
  void Rest() {
    sent_ = highest_sent_;
    received_ = highest_received_;
    ce_sent_ = highest_ce_sent_;
    ce_received_ = highest_ce_received_;
  }

 private:
  PacketNumber sent_ = 0, received_ = 0;
  PacketNumber highest_sent_ = 0, highest_received_ = 0;
  uint64_t ce_sent_ = 0, ce_received_ = 0;
  uint64_t highest_ce_sent_ = 0, highest_ce_received_ = 0;
};

inline bool ChannelEpoch::FromWire(wire::Ack& ack) {
  highest_ce_received_ = std::max(highest_ce_received_, ack.ce_count);
  if (sent_ == 0) return true;  // the first connection's: as it is
  if (ack.largest <= sent_) return false;
  ack.largest -= sent_;
  ack.ce_count -= std::min(ack.ce_count, ce_received_);
  // Ranges, downwards, that begin in this connection: the rest is cut off.
  PacketNumber left = ack.largest;  // numbers of this connection at or below the next range's top
  ack.first_length = static_cast<uint32_t>(std::min<PacketNumber>(ack.first_length, left));
  left -= ack.first_length;
  for (uint8_t i = 0; i < ack.range_count; ++i) {
    auto& [gap, length] = ack.ranges[i];
    if (left <= gap) {
      ack.range_count = i;
      break;
    }
    left -= gap;
    length = static_cast<uint32_t>(std::min<PacketNumber>(length, left));
    left -= length;
  }
  return true;
}

}  // namespace netchannel
