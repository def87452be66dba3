// SPDX-License-Identifier: Apache-2.0
//
// The policies that channel_policy.cc registers, one maker each; the classes are in the .cc files.
#pragma once

#include <memory>

#include "netscheduler/channel_policy.h"

namespace netchannel {

// "round-robin": a burst of grants on one channel, then the next one with room (the paper's
// default).
std::unique_ptr<ChannelPolicy> MakeRoundRobinPolicy();
// "least-backlog": the channel with the fewest bytes waiting.
std::unique_ptr<ChannelPolicy> MakeLeastBacklogPolicy();
// "source-port-hash": the channel that the opener's port names, at both ends the same one; when
// that is full, the next with room.
std::unique_ptr<ChannelPolicy> MakeSourcePortHashPolicy();
// "pinned": always the same channel for the same flow; it waits when that one is full.
std::unique_ptr<ChannelPolicy> MakePinnedPolicy();

}  // namespace netchannel
