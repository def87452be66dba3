// SPDX-License-Identifier: Apache-2.0
//
// A congestion episode: the window is reduced at most once for what was sent before the reduction
// (the recovery period of RFC 9002 section 7.3.2), and the reduction is taken back when each packet
// whose loss belongs to it turns out to have arrived late.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace netchannel::transport {

class RecoveryEpisode {
 public:
  // Packets below it were sent before the last reduction.
  bool Covers(PacketNumber number) const { return number < end_; }

  // A new episode; `next` is the number of the next packet. Returns its name, never 0.
  uint16_t Begin(PacketNumber next) {
    end_ = next;
    lost_ = 0;
    spurious_ = 0;
    if (++id_ == 0) id_ = 1;
    return id_;
  }
  // A loss of the current episode. Returns its name.
  uint16_t OnLost() {
    ++lost_;
    return id_;
  }
  // The packet that was lost in episode `id` arrived. True when the reduction was wrong altogether.
  bool OnSpurious(uint16_t id) {
    if (id != id_ || id == 0) return false;
    ++spurious_;
    if (spurious_ < lost_) return false;
    end_ = 0;
    return true;
  }

 private:
  PacketNumber end_ = 0;
  uint32_t lost_ = 0;
  uint32_t spurious_ = 0;
  uint16_t id_ = 0;
};

}  // namespace netchannel::transport
