// SPDX-License-Identifier: Apache-2.0
//
// From send rings to channels: what the application wrote becomes ready with the scheduler, the
// scheduler's grants become segments, acknowledged segments give ring space back. Control facts
// (OPEN, ACCEPT, WINDOW, RESET) go in front of data, on any channel of the session that takes them,
// those of the class first.
//
// Thread: one at a time. Errors: EPROTO for an application's breach, EPIPE behind the end.
// Cost: a Pump is O(segments + sockets with control facts + sessions with full channels).
#pragma once

#include <cstddef>

#include "vns/socket_core.h"
#include "vns/stream_ending.h"

namespace netchannel {

class StreamSending {
 public:
  StreamSending(SocketCore* core, StreamEnding* ending) : core_(*core), ending_(*ending) {}

  int OnWritten(VirtualSocket& socket, StreamOffset tail);
  // Returns the number of segments handed over, at most `budget`.
  size_t Pump(Time now, size_t budget);
  void OnAcknowledged(Time now, const Segment& segment);

 private:
  size_t PumpControl(Time now, size_t budget);
  size_t SendControl(Time now, VirtualSocket& socket, size_t budget);
  bool EnqueueControl(Time now, const VirtualSocket& socket, SegmentKind kind);
  bool SendGranted(Time now, const Grant& grant);
  void OnDataAcknowledged(Time now, VirtualSocket& socket, const Segment& segment);

  SocketCore& core_;
  StreamEnding& ending_;
};

}  // namespace netchannel
