// SPDX-License-Identifier: Apache-2.0
#include "stack/steering.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "netscheduler/channel_policy.h"
#include "stack/steering_rules.h"

namespace netchannel {
namespace {

using absl::StrCat;

AppClass ClassOfRate(nc_knob knob) {
  return knob == NC_KNOB_RATE_LATENCY ? AppClass::kLatency : AppClass::kThroughput;
}

std::string LaneText(const xdp::LaneEntry& entry) {
  return StrCat("lane ", entry.port, ": slot ", entry.lane.slot, " of queue ", entry.lane.queue,
                ", class ", ClassText(entry.lane.app_class), ", action ",
                ActionText(entry.lane.action));
}

std::string PeerText(const nc_peer_prefix& prefix, const nc_peer& peer) {
  return StrCat("peer ", PrefixText(prefix), ": ", peer.action == NC_PEER_DENY ? "deny" : "allow",
                ", class ", ClassText(peer.app_class), ", weight ",
                peer.weight == 0 ? "unset" : StrCat(peer.weight));
}

}  // namespace

bool Steering::PrefixLess::operator()(const nc_peer_prefix& a, const nc_peer_prefix& b) const {
  return std::memcmp(&a, &b, sizeof(a)) < 0;
}

Steering::Steering(XdpDevice* device, std::string configured_policy)
    : device_(*device), maps_(device->maps()), configured_policy_(std::move(configured_policy)) {
  for (size_t i = 0; i < device_.xdp_lanes().size(); ++i) {
    const XdpLane& lane = *device_.xdp_lanes()[i];
    lanes_.push_back({lane.udp_port(),
                      {.slot = device_.slot_of(i),
                       .queue = lane.info().queue,
                       .app_class = static_cast<nc_class>(lane.info().app_class),
                       .action = NC_ACTION_STEER,
                       .own_slot = device_.slot_of(i)}});
    stuck_lanes_.push_back(lanes_.back().lane);
  }
}

void Steering::Poll(Time now, Host& host, Bridge& bridge) {
  const uint64_t generation = maps_.knob(NC_KNOB_GENERATION);
  const bool pointed_out = generation != knobs_[NC_KNOB_GENERATION];
  knobs_[NC_KNOB_GENERATION] = generation;
  const uint64_t denying = knobs_[NC_KNOB_DENY_UNKNOWN_PEERS];
  for (uint32_t knob = NC_KNOB_GENERATION + 1; knob < NC_KNOBS; ++knob) {
    PollKnob(now, static_cast<nc_knob>(knob), host);
  }
  const bool at_once = pointed_out || denying != knobs_[NC_KNOB_DENY_UNKNOWN_PEERS];
  if (at_once || now - next_read_ > kReadPeriod) next_read_ = now - kReadPeriod;
  const Duration step = kReadPeriod / static_cast<int64_t>(lanes_.size() + 1);
  for (; next_read_ <= now; next_read_ = next_read_ + step) PollNext(now, host, bridge);
}

void Steering::PollNext(Time now, Host& host, Bridge& bridge) {
  if (next_ < lanes_.size()) {
    const std::optional<nc_lane> value = maps_.FindLane(lanes_[next_].port);
    PollLane(now, next_, value ? &*value : nullptr, host);
    ++next_;
    return;
  }
  PollPeers(now, host, bridge);
  next_ = 0;
}

void Steering::Refused(Time now, const std::string& what, const absl::Status& why,
                       const absl::Status& put_back) {
  log_.Add(now, true,
           StrCat("refused ", what, ": ", why.message(), "; ",
                  put_back.ok() ? "the last good value is back" : put_back.message()));
}

// ---- policy ----

void Steering::PollKnob(Time now, nc_knob knob, Host& host) {
  const uint64_t value = maps_.knob(knob);
  if (value == knobs_[knob] || value == stuck_knobs_[knob]) return;
  stuck_knobs_[knob] = knobs_[knob];
  const absl::Status sound = CheckKnob(knob, value);
  if (sound.ok()) {
    knobs_[knob] = stuck_knobs_[knob] = value;
    Apply(now, knob, value, host);
    return;
  }
  const absl::Status put_back = maps_.SetKnob(knob, knobs_[knob]);
  if (!put_back.ok()) stuck_knobs_[knob] = value;
  Refused(now, StrCat("policy ", static_cast<uint32_t>(knob), " = ", value), sound, put_back);
}

void Steering::Apply(Time now, nc_knob knob, uint64_t value, Host& host) {
  switch (knob) {
    case NC_KNOB_CHANNEL_POLICY:
      SetPolicy(now, value, host);
      break;
    case NC_KNOB_RATE_THROUGHPUT:
    case NC_KNOB_RATE_LATENCY:
      host.scheduler().SetRate(ClassOfRate(knob), Bandwidth::BytesPerSecond(value));
      Changed(now, StrCat("rate of class ", knob == NC_KNOB_RATE_LATENCY ? "latency" : "throughput",
                          ": ", value == 0 ? "no limit" : StrCat(value, " bytes/s")));
      break;
    case NC_KNOB_DENY_UNKNOWN_PEERS:  // in force with the peers, in the same Poll
      Changed(now, StrCat("deny-unknown-peers: ", value == 1 ? "on" : "off"));
      break;
    case NC_KNOB_GENERATION:
    case NC_KNOBS:
      break;
  }
}

void Steering::SetPolicy(Time now, uint64_t number, Host& host) {
  const std::string name =
      number == 0 ? configured_policy_ : std::string(FindChannelPolicy(number)->name);
  const std::string before(host.scheduler().policy());
  // CheckKnob knows the number, and the stack has started with the configured one.
  host.scheduler().SetPolicy(name).IgnoreError();
  Changed(now, StrCat("channel policy: ", name, ", was ", before));
}

// ---- lanes ----

// `value`: null when somebody has removed the entry.
void Steering::PollLane(Time now, size_t index, const nc_lane* value, Host& host) {
  xdp::LaneEntry& good = lanes_[index];
  const bool known =
      value != nullptr && (Same(*value, good.lane) || Same(*value, stuck_lanes_[index]));
  if (known) return;
  stuck_lanes_[index] = good.lane;
  const absl::Status sound = value != nullptr
                                 ? CheckLane(lanes_, index, *value)
                                 : absl::InvalidArgumentError("a lane of a running stack stays");
  if (!sound.ok()) {
    const absl::Status put_back = maps_.InsertLane(good.port, good.lane);
    if (!put_back.ok() && value != nullptr) stuck_lanes_[index] = *value;
    Refused(now, StrCat("lane ", good.port), sound, put_back);
    return;
  }
  good.lane = stuck_lanes_[index] = *value;
  for (size_t via = 0; via < lanes_.size(); ++via) {
    if (lanes_[via].lane.own_slot != value->slot) continue;
    host.SteerLane(static_cast<uint32_t>(index), static_cast<AppClass>(value->app_class),
                   static_cast<uint32_t>(via));
  }
  Changed(now, LaneText(good));
}

// ---- peers ----

void Steering::PollPeers(Time now, Host& host, Bridge& bridge) {
  const auto entries = maps_.ReadPeers();
  if (!entries.ok()) return;
  PeerMap good;
  for (const xdp::PeerEntry& entry : *entries) TakePeer(now, entry, good);
  for (const auto& [prefix, peer] : peers_) {
    if (good.find(prefix) == good.end()) {
      Changed(now, StrCat("peer ", PrefixText(prefix), ": no rule any more"));
    }
  }
  std::vector<PeerRule> rules;
  for (const auto& [prefix, peer] : good) rules.push_back(ToPeerRule(prefix, peer));
  peers_ = std::move(good);
  PeerRules now_in_force(std::move(rules), knobs_[NC_KNOB_DENY_UNKNOWN_PEERS] == 1);
  Driver& driver = *host.packet_driver();
  if (now_in_force == driver.peer_rules()) return;
  driver.SetPeerRules(now, std::move(now_in_force));
  bridge.ClassifyAll();
}

void Steering::TakePeer(Time now, const xdp::PeerEntry& entry, PeerMap& good) {
  const auto before = peers_.find(entry.prefix);
  const auto stuck = stuck_peers_.find(entry.prefix);
  const bool is_stuck = stuck != stuck_peers_.end() && Same(stuck->second, entry.peer);
  if (before != peers_.end() && (is_stuck || Same(before->second, entry.peer))) {
    good.insert(*before);
    return;
  }
  if (is_stuck) return;
  stuck_peers_.erase(entry.prefix);
  const absl::Status sound = CheckPeer(entry.peer);
  if (sound.ok()) {
    good[entry.prefix] = entry.peer;
    Changed(now, PeerText(entry.prefix, entry.peer));
    return;
  }
  absl::Status put_back;
  if (before != peers_.end()) {
    good.insert(*before);
    put_back = maps_.InsertPeer(entry.prefix, before->second);
  } else if (!maps_.RemovePeer(entry.prefix)) {
    put_back = absl::InternalError("it cannot be removed");
  }
  if (!put_back.ok()) stuck_peers_[entry.prefix] = entry.peer;
  Refused(now, StrCat("peer ", PrefixText(entry.prefix)), sound, put_back);
}

}  // namespace netchannel
