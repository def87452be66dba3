// SPDX-License-Identifier: Apache-2.0
//
// Which values of the maps `lanes`, `peers` and `policy` (bpf/abi.h) make sense. The CLI refuses
// the others before it writes them; the stack ignores them when somebody else has.
//
// Thread: values. Errors: InvalidArgument, one line that says what is allowed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "abi.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "netdriver/peer_rules.h"
#include "netdriver/xdp/steering_maps.h"

namespace netchannel {

// Whether `value` may replace lanes[at].lane. `lanes`: all of one stack, as they are.
absl::Status CheckLane(absl::Span<const xdp::LaneEntry> lanes, size_t at, const nc_lane& value);
absl::Status CheckPeer(const nc_peer& value);
absl::Status CheckKnob(nc_knob knob, uint64_t value);

// Channel policies by name and number, as netscheduler/channel_policy.h registers them.
// "configured" is 0. nullopt: none of that name.
std::optional<uint64_t> PolicyNumber(const std::string& name);
std::string PolicyText(uint64_t number);
std::string PolicyNames();
// From here on numbers are those of policies that programs have registered for themselves.
extern const uint64_t kFirstProgramsPolicy;
inline constexpr int kMaxWeight = 255;

// As people and `netchannel steer` write them.
const char* ClassText(nc_class app_class);  // "latency", "throughput", "unset"
const char* ActionText(nc_action action);   // "steer", "pass", "drop"
std::string PrefixText(const nc_peer_prefix& prefix);
nc_peer_prefix ToMapKey(const IpPrefix& prefix);

// Precondition: CheckPeer agrees.
PeerRule ToPeerRule(const nc_peer_prefix& prefix, const nc_peer& peer);

bool Same(const nc_lane& a, const nc_lane& b);
bool Same(const nc_peer& a, const nc_peer& b);

}  // namespace netchannel
