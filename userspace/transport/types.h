// SPDX-License-Identifier: Apache-2.0
//
// Small vocabulary types that the parts of the transport share.
#pragma once

#include <cstdint>

namespace netchannel::transport {

enum class CongestionAlgorithm : uint8_t { kCubic = 0, kDctcp = 1 };

enum class Ecn : uint8_t { kNotEct = 0, kEct1 = 1, kEct0 = 2, kCe = 3 };  // RFC 3168 code points

// What became of an arrived packet number: only kNew packets are to be processed.
// What the transport is told of a packet that has arrived.
struct Arrival {
  bool ack_eliciting = false;
  bool ack_now = false;  // the sender waits for an acknowledgement
  Ecn ecn = Ecn::kNotEct;
};

enum class Receipt : uint8_t { kNew, kDuplicate, kTooOld };

}  // namespace netchannel::transport
