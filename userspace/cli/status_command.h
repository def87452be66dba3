// SPDX-License-Identifier: Apache-2.0
//
// `netchannel status`: what the running stacks of this host say of themselves.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace netchannel::cli {

struct StatusOptions {
  std::string directory = "/run/netchannel";
  int pid = 0;               // 0: every stack
  bool connections = false;  // only who is connected to whom, and by which path
  bool json = false;
};

CLI::App* AddStatusCommand(CLI::App& app, StatusOptions& options);
absl::Status RunStatus(const StatusOptions& options);

}  // namespace netchannel::cli
