// SPDX-License-Identifier: Apache-2.0
//
// From deliveries to receive rings, and the flow control of both directions: bytes are placed, the
// reader's progress moves our limit, the peer's WINDOW moves its.
//
// Thread: one at a time. Errors: EPROTO for an application's breach. What breaks the protocol
// resets its own stream, and is counted.
#pragma once

#include "vns/socket_core.h"
#include "vns/stream_ending.h"
#include "vns/stream_opening.h"

namespace netchannel {

class StreamReceiving {
 public:
  StreamReceiving(SocketCore* core, StreamOpening* opening, StreamEnding* ending)
      : core_(*core), opening_(*opening), ending_(*ending) {}

  void OnDelivery(Time now, const Delivery& delivery);
  int OnConsumed(VirtualSocket& socket, StreamOffset head);

 private:
  void OnData(Time now, const Delivery& delivery);
  void OnWindow(const Delivery& delivery);
  void OnReset(Time now, const Delivery& delivery);

  SocketCore& core_;
  StreamOpening& opening_;
  StreamEnding& ending_;
};

}  // namespace netchannel
