// SPDX-License-Identifier: Apache-2.0
#include "stack/steering_rules.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "netscheduler/channel_policy.h"
#include "netscheduler/rate_limit.h"
#include "netscheduler/scheduler.h"

namespace netchannel {
namespace {

using absl::InvalidArgumentError;
using absl::StrCat;

// What stands in a map may be none of its enum's values, and must not be read as one.
template <typename Enum>
uint32_t Raw(const Enum& value) {
  static_assert(sizeof(Enum) == sizeof(uint32_t));
  uint32_t number;
  std::memcpy(&number, &value, sizeof(number));
  return number;
}

absl::Status CheckSlot(absl::Span<const xdp::LaneEntry> lanes, const nc_lane& value) {
  std::vector<uint32_t> slots;
  for (const xdp::LaneEntry& entry : lanes) slots.push_back(entry.lane.own_slot);
  if (std::find(slots.begin(), slots.end(), value.slot) == slots.end()) {
    return InvalidArgumentError(StrCat("slot ", value.slot,
                                       " holds no socket of this stack; it has slots ",
                                       absl::StrJoin(slots, ", ")));
  }
  if (value.queue != NC_SLOT_QUEUE(value.slot)) {
    return InvalidArgumentError(StrCat("slot ", value.slot, " is on queue ",
                                       NC_SLOT_QUEUE(value.slot), ", not ", value.queue));
  }
  return absl::OkStatus();
}

absl::Status CheckRate(uint64_t rate) {
  const uint64_t least = RateLimit::kMin.bytes_per_second();
  const uint64_t most = RateLimit::kMax.bytes_per_second();
  if (rate == 0 || (rate >= least && rate <= most)) return absl::OkStatus();
  return InvalidArgumentError(
      StrCat("a rate of ", rate, " bytes/s; use ", least, " to ", most, ", or 0 for no limit"));
}

}  // namespace

absl::Status CheckLane(absl::Span<const xdp::LaneEntry> lanes, size_t at, const nc_lane& value) {
  const nc_lane& now = lanes[at].lane;
  if (value.own_slot != now.own_slot) {
    return InvalidArgumentError(
        StrCat("own_slot is the stack's alone to write; it is ", now.own_slot));
  }
  if (Raw(value.app_class) > NC_CLASS_LATENCY) {
    return InvalidArgumentError(
        StrCat("class ", Raw(value.app_class), "; use 0 (throughput) or 1 (latency)"));
  }
  if (Raw(value.action) > NC_ACTION_DROP) {
    return InvalidArgumentError(
        StrCat("action ", Raw(value.action), "; use 0 (steer), 1 (pass) or 2 (drop)"));
  }
  if (auto status = CheckSlot(lanes, value); !status.ok()) return status;
  if (value.app_class == now.app_class) return absl::OkStatus();
  for (size_t i = 0; i < lanes.size(); ++i) {
    if (i != at && lanes[i].lane.app_class == now.app_class) return absl::OkStatus();
  }
  return InvalidArgumentError(StrCat("it is the last lane of class ", ClassText(now.app_class),
                                     ", which no channel would serve; give another lane that class "
                                     "first"));
}

absl::Status CheckPeer(const nc_peer& value) {
  if (Raw(value.action) > NC_PEER_DENY) {
    return InvalidArgumentError(
        StrCat("action ", Raw(value.action), "; use 0 (allow) or 1 (deny)"));
  }
  if (Raw(value.app_class) > NC_CLASS_UNSET) {
    return InvalidArgumentError(
        StrCat("class ", Raw(value.app_class), "; use 0 (throughput), 1 (latency) or 2 (unset)"));
  }
  if (value.weight > kMaxFlowWeight) {
    return InvalidArgumentError(
        StrCat("weight ", value.weight, "; use 1 to ", kMaxFlowWeight, ", or 0 for unset"));
  }
  return absl::OkStatus();
}

absl::Status CheckKnob(nc_knob knob, uint64_t value) {
  switch (knob) {
    case NC_KNOB_DENY_UNKNOWN_PEERS:
      if (value <= 1) return absl::OkStatus();
      return InvalidArgumentError(StrCat("deny-unknown-peers ", value, "; use 0 or 1"));
    case NC_KNOB_CHANNEL_POLICY:
      if (value == 0 || FindChannelPolicy(value) != nullptr) return absl::OkStatus();
      return InvalidArgumentError(StrCat("no channel policy has number ", value,
                                         "; there are 1 and up: ", ChannelPolicyNames()));
    case NC_KNOB_RATE_THROUGHPUT:
    case NC_KNOB_RATE_LATENCY:
      return CheckRate(value);
    case NC_KNOB_GENERATION:
    case NC_KNOBS:
      break;
  }
  return absl::OkStatus();
}

const uint64_t kFirstProgramsPolicy = kFirstOutsidePolicy;
static_assert(kMaxWeight == kMaxFlowWeight);

std::optional<uint64_t> PolicyNumber(const std::string& name) {
  if (name == "configured") return 0;
  const ChannelPolicyEntry* entry = FindChannelPolicy(name);
  if (entry == nullptr) return std::nullopt;
  return entry->number;
}

std::string PolicyText(uint64_t number) {
  if (number == 0) return "configured";
  const ChannelPolicyEntry* entry = FindChannelPolicy(number);
  return entry != nullptr ? std::string(entry->name) : StrCat("number ", number);
}

std::string PolicyNames() { return StrCat(ChannelPolicyNames(), ", configured"); }

const char* ClassText(nc_class app_class) {
  if (app_class == NC_CLASS_UNSET) return "unset";
  return app_class == NC_CLASS_LATENCY ? "latency" : "throughput";
}

const char* ActionText(nc_action action) {
  if (action == NC_ACTION_PASS) return "pass";
  return action == NC_ACTION_DROP ? "drop" : "steer";
}

namespace {

IpPrefix ToPrefix(const nc_peer_prefix& prefix) {
  wire::IpAddress address;
  static_assert(sizeof(prefix.bytes) == sizeof(address.bytes));
  std::memcpy(address.bytes.data(), prefix.bytes, sizeof(prefix.bytes));
  // The kernel compares the prefix's bits only, whatever stands behind them.
  for (uint32_t i = 0; i < address.bytes.size(); ++i) {
    const int kept = std::clamp(static_cast<int>(prefix.prefixlen) - static_cast<int>(8 * i), 0, 8);
    address.bytes[i] = static_cast<uint8_t>(address.bytes[i] & (0xff00u >> kept));
  }
  return {address, static_cast<uint8_t>(std::min(prefix.prefixlen, 128u))};
}

}  // namespace

std::string PrefixText(const nc_peer_prefix& prefix) {
  const IpPrefix ip = ToPrefix(prefix);
  const uint32_t before = ip.address.is_v4() && ip.bits >= 96 ? 96 : 0;
  return StrCat(ip.address.ToString(), "/", ip.bits - before);
}

nc_peer_prefix ToMapKey(const IpPrefix& prefix) {
  nc_peer_prefix key{.prefixlen = prefix.bits, .bytes = {}};
  std::memcpy(key.bytes, prefix.address.bytes.data(), sizeof(key.bytes));
  return key;
}

PeerRule ToPeerRule(const nc_peer_prefix& prefix, const nc_peer& peer) {
  PeerRule rule{.prefix = ToPrefix(prefix),
                .deny = peer.action == NC_PEER_DENY,
                .app_class = std::nullopt,
                .weight = static_cast<uint8_t>(peer.weight)};
  if (peer.app_class != NC_CLASS_UNSET) rule.app_class = static_cast<AppClass>(peer.app_class);
  return rule;
}

bool Same(const nc_lane& a, const nc_lane& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }
bool Same(const nc_peer& a, const nc_peer& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }
static_assert(sizeof(nc_lane) == 5 * sizeof(uint32_t) && sizeof(nc_peer) == 3 * sizeof(uint32_t),
              "no padding: compared as bytes");

}  // namespace netchannel
