// SPDX-License-Identifier: Apache-2.0
//
// Where the bytes of a stream may be put by a channel that can receive straight into memory, so
// that they are not copied once more: the virtual sockets answer, for one receive call at a time.
//
// An answer holds until the next delivery or call of the application: it must not be kept. Bytes
// that were put there are delivered like all others (SessionPort's Delivery), with a payload that
// lies where it belongs.
//
// Thread: the one that holds the host's lease. Errors: nullopt when the stream is not known or
// takes no bytes; what arrives for it is then delivered out of the channel's own memory.
#pragma once

#include <optional>

#include "base/ring_view.h"
#include "base/stream.h"
#include "base/units.h"

namespace netchannel {

// Offsets [begin, end) of `ring` are the peer's to fill: nobody reads them before they are
// delivered.
struct ReceiveRoom {
  RingView ring;
  StreamOffset begin = 0;
  StreamOffset end = 0;
};

class ReceiveRings {
 public:
  virtual ~ReceiveRings() = default;
  virtual std::optional<ReceiveRoom> RoomOf(SessionHandle session, StreamId stream) = 0;
};

}  // namespace netchannel
