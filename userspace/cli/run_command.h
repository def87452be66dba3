// SPDX-License-Identifier: Apache-2.0
//
// `netchannel run`: an unmodified program on NetChannel. Sets LD_PRELOAD and what the preload
// library reads from the environment (preload/settings.h), and becomes the program. Without a
// daemon the program runs on kernel TCP, and a line on stderr says so; with --strict it does not
// run.
//
// Thread: main. Errors: absl::Status; 127 and 126 are the shell's exit codes for a program that is
// not there or cannot be run.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace netchannel::cli {

struct RunOptions {
  std::string app_class;  // latency, throughput, or empty: the program's own choice
  std::string daemon;     // its control socket; empty: the environment's, or the default
  bool strict = false;
  bool explain = false;
  bool spin = false;
  std::vector<std::string> command;
};

CLI::App* AddRunCommand(CLI::App& app, RunOptions& options);
// Returns only with --explain, or an error.
absl::Status RunProgram(const RunOptions& options);

}  // namespace netchannel::cli
