// SPDX-License-Identifier: Apache-2.0
//
// Which of a session's channels is opened next, and which closed: where it runs. A channel's lane
// names a NIC queue and, where a channel thread of its own is pinned for it, a core; of other lanes
// no core is known (which one takes a queue's interrupts is not read), and the queue decides alone.
//
// To open: the closed channel whose core has the most left over (interrupts count against it like
// any work), of those the one whose queue carries the fewest open channels, of those the first. To
// close: the reverse.
//
// Sans-I/O. Thread: any one at a time. Errors: none. Cost: O(channels of the session).
#pragma once

#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "netdriver/session_port.h"

namespace netchannel {

// A lane over the last period. Shares from 0 to 1.
struct LaneLoad {
  uint32_t queue = 0;  // of the NIC
  double cpu = 0;      // of its time that the thread which serves it was busy
  double full = 0;     // of its visits that found the transmit queue full
  double core = 0;     // of its time that the core of this queue was busy, interrupts included
};

// Positions in `channels` (ChannelInfo::lane indexes `lanes`; a lane without a load counts as
// idle).
std::optional<uint8_t> ChannelToOpen(absl::Span<const ChannelInfo> channels, AppClass app_class,
                                     absl::Span<const LaneLoad> lanes);
std::optional<uint8_t> ChannelToClose(absl::Span<const ChannelInfo> channels, AppClass app_class,
                                      absl::Span<const LaneLoad> lanes);

}  // namespace netchannel
