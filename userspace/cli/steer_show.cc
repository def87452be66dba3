// SPDX-License-Identifier: Apache-2.0
#include "cli/steer_show.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "stack/steering_rules.h"

namespace netchannel::cli {
namespace {

void PrintRate(const char* name, uint64_t bytes_per_second) {
  if (bytes_per_second == 0) {
    std::printf("%s  none\n", name);
  } else {
    std::printf("%s  %.6g Mbit/s\n", name, static_cast<double>(bytes_per_second) * 8e-6);
  }
}

void PrintKnobs(const xdp::SteeringMaps& maps) {
  std::printf("channel policy      %s\n", PolicyText(maps.knob(NC_KNOB_CHANNEL_POLICY)).c_str());
  PrintRate("rate of throughput", maps.knob(NC_KNOB_RATE_THROUGHPUT));
  PrintRate("rate of latency   ", maps.knob(NC_KNOB_RATE_LATENCY));
  std::printf("deny unknown peers  %s\n",
              maps.knob(NC_KNOB_DENY_UNKNOWN_PEERS) != 0 ? "on" : "off");
}

}  // namespace

absl::Status ShowSteering(xdp::SteeringMaps& maps) {
  auto lanes = maps.ReadLanes();
  if (!lanes.ok()) return lanes.status();
  const auto peers = maps.ReadPeers();
  if (!peers.ok()) return peers.status();
  PrintKnobs(maps);
  std::sort(lanes->begin(), lanes->end(),
            [](const auto& a, const auto& b) { return a.port < b.port; });
  for (const xdp::LaneEntry& entry : *lanes) {
    std::printf("lane %u  slot %u of queue %u%s, class %s, action %s\n", entry.port,
                entry.lane.slot, entry.lane.queue,
                entry.lane.slot == entry.lane.own_slot ? " (its own)" : "",
                ClassText(entry.lane.app_class), ActionText(entry.lane.action));
  }
  for (const xdp::PeerEntry& entry : *peers) {
    std::printf("peer %s  %s, class %s, weight %u\n", PrefixText(entry.prefix).c_str(),
                entry.peer.action == NC_PEER_DENY ? "deny" : "allow",
                ClassText(entry.peer.app_class), entry.peer.weight);
  }
  return absl::OkStatus();
}

}  // namespace netchannel::cli
