// SPDX-License-Identifier: Apache-2.0
//
// `netchannel steer`: changes the maps that scripts/setup.sh pinned for an interface, while traffic
// flows. The XDP program follows at once, a running stack within 100 ms; `netchannel status` shows
// both outcome and log (section "steering"). Values that make no sense are refused here
// (stack/steering_rules.h). Which bytes each subcommand writes is in bpf/README.md.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace netchannel::cli {

struct SteerOptions {
  std::string interface;
  // lane
  uint16_t port = 0;
  int queue = -1;         // -1: unchanged
  bool own = false;       // back to its own socket
  std::string app_class;  // empty: unchanged; also of peer and rate
  std::string action;     // empty: unchanged; also of peer
  // peer
  std::string prefix;
  int weight = -1;  // -1: unchanged
  bool remove = false;
  // policy
  std::string policy;
  // rate
  std::string rate;
  // deny-unknown
  std::string on_off;

  CLI::App* lane = nullptr;
  CLI::App* peer = nullptr;
  CLI::App* policy_command = nullptr;
  CLI::App* rate_command = nullptr;
  CLI::App* deny_unknown = nullptr;
  CLI::App* show = nullptr;
};

CLI::App* AddSteerCommand(CLI::App& app, SteerOptions& options);
absl::Status RunSteer(const SteerOptions& options);

}  // namespace netchannel::cli
