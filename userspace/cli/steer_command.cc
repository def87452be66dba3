// SPDX-License-Identifier: Apache-2.0
#include "cli/steer_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/steer_show.h"
#include "netdriver/xdp/steering_maps.h"
#include "stack/steering_rules.h"

namespace netchannel::cli {
namespace {

using absl::InvalidArgumentError;
using absl::StrCat;
using xdp::LaneEntry;
using xdp::SteeringMaps;

nc_class ClassOf(const std::string& text) {
  if (text == "unset") return NC_CLASS_UNSET;
  return text == "latency" ? NC_CLASS_LATENCY : NC_CLASS_THROUGHPUT;
}

nc_action ActionOf(const std::string& text) {
  if (text == "pass") return NC_ACTION_PASS;
  return text == "drop" ? NC_ACTION_DROP : NC_ACTION_STEER;
}

absl::Status Named(const std::string& what, const absl::Status& status) {
  return absl::Status(status.code(), StrCat("steer ", what, ": ", status.message()));
}

// After a change of lanes or peers: the stack looks at once.
absl::Status RaiseGeneration(SteeringMaps& maps) {
  return maps.SetKnob(NC_KNOB_GENERATION, maps.knob(NC_KNOB_GENERATION) + 1);
}

// ---- lane ----

// The socket on `queue` that suits a lane: its own, else one of its class, else any.
const LaneEntry* SocketOn(const std::vector<LaneEntry>& lanes, uint32_t queue,
                          const nc_lane& lane) {
  const LaneEntry* best = nullptr;
  for (const LaneEntry& entry : lanes) {
    if (NC_SLOT_QUEUE(entry.lane.own_slot) != queue) continue;
    if (entry.lane.own_slot == lane.own_slot) return &entry;
    const bool same_class = entry.lane.app_class == lane.app_class;
    if (best == nullptr || (same_class && best->lane.app_class != lane.app_class)) best = &entry;
  }
  return best;
}

absl::Status SteerLane(SteeringMaps& maps, const SteerOptions& options) {
  const auto lanes = maps.ReadLanes();
  if (!lanes.ok()) return lanes.status();
  const std::string what = StrCat("lane ", options.port);
  const auto at = std::find_if(lanes->begin(), lanes->end(),
                               [&](const LaneEntry& entry) { return entry.port == options.port; });
  if (at == lanes->end()) {
    std::string ports;
    for (const LaneEntry& entry : *lanes) absl::StrAppend(&ports, " ", entry.port);
    return absl::NotFoundError(StrCat("steer ", what, ": no running stack on ", options.interface,
                                      " has it; lanes:", ports.empty() ? " none" : ports));
  }
  nc_lane value = at->lane;
  if (!options.app_class.empty()) value.app_class = ClassOf(options.app_class);
  if (!options.action.empty()) value.action = ActionOf(options.action);
  if (options.own) value.slot = value.own_slot;
  if (options.queue >= 0) {
    const LaneEntry* to = SocketOn(*lanes, static_cast<uint32_t>(options.queue), value);
    if (to == nullptr) {
      return InvalidArgumentError(StrCat("steer ", what, ": no lane has a socket on queue ",
                                         options.queue, "; `netchannel steer show` lists them"));
    }
    value.slot = to->lane.own_slot;
  }
  value.queue = NC_SLOT_QUEUE(value.slot);
  const auto index = static_cast<size_t>(at - lanes->begin());
  if (auto sound = CheckLane(*lanes, index, value); !sound.ok()) return Named(what, sound);
  if (auto status = maps.InsertLane(options.port, value); !status.ok()) return status;
  return RaiseGeneration(maps);
}

// ---- peer ----

absl::Status SteerPeer(SteeringMaps& maps, const SteerOptions& options) {
  const auto prefix = IpPrefix::Parse(options.prefix);
  if (!prefix.ok()) return Named("peer", prefix.status());
  const std::string what = StrCat("peer ", options.prefix);
  const nc_peer_prefix key = ToMapKey(*prefix);
  if (options.remove) {
    if (!maps.RemovePeer(key)) return absl::NotFoundError(StrCat("steer ", what, ": no such rule"));
    return RaiseGeneration(maps);
  }
  const auto peers = maps.ReadPeers();
  if (!peers.ok()) return peers.status();
  nc_peer value{NC_PEER_ALLOW, NC_CLASS_UNSET, 0};
  for (const xdp::PeerEntry& entry : *peers) {
    if (std::memcmp(&entry.prefix, &key, sizeof(key)) == 0) value = entry.peer;
  }
  if (options.action == "deny") value.action = NC_PEER_DENY;
  if (options.action == "allow") value.action = NC_PEER_ALLOW;
  if (!options.app_class.empty()) value.app_class = ClassOf(options.app_class);
  if (options.weight >= 0) value.weight = static_cast<uint32_t>(options.weight);
  if (auto sound = CheckPeer(value); !sound.ok()) return Named(what, sound);
  if (auto status = maps.InsertPeer(key, value); !status.ok()) return status;
  return RaiseGeneration(maps);
}

// ---- knobs ----

absl::Status SetKnob(SteeringMaps& maps, const std::string& what, nc_knob knob, uint64_t value) {
  if (auto sound = CheckKnob(knob, value); !sound.ok()) return Named(what, sound);
  return maps.SetKnob(knob, value);
}

absl::Status SteerPolicy(SteeringMaps& maps, const SteerOptions& options) {
  uint64_t number = 0;
  if (absl::SimpleAtoi(options.policy, &number)) {
    // What a program has registered for itself is known to it alone.
    if (number >= kFirstProgramsPolicy) return maps.SetKnob(NC_KNOB_CHANNEL_POLICY, number);
    return SetKnob(maps, "policy", NC_KNOB_CHANNEL_POLICY, number);
  }
  const auto known = PolicyNumber(options.policy);
  if (!known) {
    return InvalidArgumentError(
        StrCat("steer policy ", options.policy, ": there are ", PolicyNames()));
  }
  return SetKnob(maps, "policy", NC_KNOB_CHANNEL_POLICY, *known);
}

// "none", or bits per second as people write them: "250M", "10G", "64k".
absl::StatusOr<uint64_t> ParseRate(const std::string& text) {
  if (text == "none") return 0;
  double number = 0;
  constexpr absl::string_view kUnits = "kMG";
  const size_t unit = text.empty() ? absl::string_view::npos : kUnits.find(text.back());
  double scale = 1;
  for (size_t i = 0; unit != absl::string_view::npos && i <= unit; ++i) scale *= 1000;
  const std::string digits =
      unit == absl::string_view::npos ? text : text.substr(0, text.size() - 1);
  if (!absl::SimpleAtod(digits, &number) || !(number > 0) || number * scale > 1e18) {
    return InvalidArgumentError(
        StrCat("steer rate ", text, ": write bits per second, as 250M or 10G, or none"));
  }
  return static_cast<uint64_t>(number * scale / 8);
}

absl::Status SteerRate(SteeringMaps& maps, const SteerOptions& options) {
  const auto rate = ParseRate(options.rate);
  if (!rate.ok()) return rate.status();
  const nc_knob knob =
      options.app_class == "latency" ? NC_KNOB_RATE_LATENCY : NC_KNOB_RATE_THROUGHPUT;
  if (*rate == 0 && options.rate != "none") {
    return InvalidArgumentError("steer rate: less than a byte per second; use none for no limit");
  }
  return SetKnob(maps, "rate", knob, *rate);
}

void AddClass(CLI::App& command, SteerOptions& options, const std::vector<std::string>& classes,
              const std::string& meaning) {
  command.add_option("--class", options.app_class, meaning)->check(CLI::IsMember(classes));
}

void AddLane(CLI::App& steer, SteerOptions& options) {
  options.lane = steer.add_subcommand("lane", "a lane's socket, class and action");
  options.lane->add_option("PORT", options.port, "the lane's UDP port")->required();
  CLI::Option* queue =
      options.lane
          ->add_option("--queue", options.queue, "use the socket of another lane, on this queue")
          ->check(CLI::Range(0, NC_MAX_QUEUES - 1));
  options.lane->add_flag("--own", options.own, "use its own socket again")->excludes(queue);
  AddClass(*options.lane, options, {"throughput", "latency"}, "of channels to come");
  options.lane->add_option("--action", options.action, "what becomes of packets to it")
      ->check(CLI::IsMember({"steer", "pass", "drop"}));
}

void AddPeer(CLI::App& steer, SteerOptions& options) {
  options.peer = steer.add_subcommand("peer", "what holds for peers of a prefix");
  options.peer->add_option("PREFIX", options.prefix, "as 10.0.0.7, 10.0.0.0/8 or fd00::/64")
      ->required();
  options.peer->add_flag_callback("--deny", [&options] { options.action = "deny"; });
  options.peer->add_flag_callback("--allow", [&options] { options.action = "allow"; });
  AddClass(*options.peer, options, {"throughput", "latency", "unset"},
           "of sockets of which nobody has said it");
  options.peer->add_option("--weight", options.weight, "of sockets within their class; 0: unset")
      ->check(CLI::Range(0, kMaxWeight));
  options.peer->add_flag("--remove", options.remove, "forget the rule");
}

}  // namespace

CLI::App* AddSteerCommand(CLI::App& app, SteerOptions& options) {
  CLI::App* const steer = app.add_subcommand("steer", "change a running stack's steering");
  steer->require_subcommand(1);
  steer->add_option("--interface,-i", options.interface, "the stack's network interface")
      ->required();
  AddLane(*steer, options);
  AddPeer(*steer, options);
  options.policy_command = steer->add_subcommand("policy", "which channel a socket's bytes take");
  options.policy_command
      ->add_option("NAME", options.policy, PolicyNames() + ", or the number of a program's own")
      ->required();
  options.rate_command = steer->add_subcommand("rate", "a limit of what a class may send");
  options.rate_command->add_option("CLASS", options.app_class, "throughput or latency")
      ->required()
      ->check(CLI::IsMember({"throughput", "latency"}));
  options.rate_command->add_option("RATE", options.rate, "bits per second, as 250M, or none")
      ->required();
  options.deny_unknown =
      steer->add_subcommand("deny-unknown", "whether peers without a rule are denied");
  options.deny_unknown->add_option("ON_OFF", options.on_off, "on or off")
      ->required()
      ->check(CLI::IsMember({"on", "off"}));
  options.show = steer->add_subcommand("show", "what the maps hold");
  return steer;
}

absl::Status RunSteer(const SteerOptions& options) {
  const auto opened = SteeringMaps::Open(options.interface);
  if (!opened.ok()) return opened.status();
  SteeringMaps& maps = **opened;
  if (*options.lane) return SteerLane(maps, options);
  if (*options.peer) return SteerPeer(maps, options);
  if (*options.policy_command) return SteerPolicy(maps, options);
  if (*options.rate_command) return SteerRate(maps, options);
  if (*options.deny_unknown) {
    return maps.SetKnob(NC_KNOB_DENY_UNKNOWN_PEERS, options.on_off == "on" ? 1 : 0);
  }
  return ShowSteering(maps);
}

}  // namespace netchannel::cli
