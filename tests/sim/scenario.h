// SPDX-License-Identifier: Apache-2.0
//
// One seed of mixed faults: two hosts, two links, some streams, all chosen by the seed, run to
// their end and judged.
//
// Lawful is: every stream ends as its plan says (sim/traffic.h) within kTimeLimit of virtual time;
// then all buffers, frames and sockets come home within kCleanupLimit.
//
// Thread: one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/network.h"

namespace netchannel::sim {

// What happens to a host in the middle of it.
enum class Disaster : uint8_t { kNone, kRestart, kPowerOff, kOutage };

struct ScenarioOptions {
  uint64_t seed = 0;
  bool ipv6 = false;
  HostOptions hosts[2];
  LinkConfig links[2];
  uint32_t streams = 1;
  ByteCount bytes = 0;  // each stream and direction, at most
  Disaster disaster = Disaster::kNone;
  uint32_t victim = 0;   // the host; an outage strikes both links
  Duration disaster_at;  // after the start
  Duration open_within;  // streams are opened at random instants of this time

  static ScenarioOptions FromSeed(uint64_t seed);
  std::string ToString() const;
};

struct ScenarioResult {
  std::vector<std::string> wrong;  // empty: lawful
  uint64_t trace_hash = 0;
  uint64_t frames = 0;
  Duration took;            // virtual
  std::string description;  // of the end, for a report
};

ScenarioResult RunScenario(const ScenarioOptions& options);

}  // namespace netchannel::sim
