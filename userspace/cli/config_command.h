// SPDX-License-Identifier: Apache-2.0
//
// `netchannel config`: the reference of all configuration keys, as a TOML file with every key at
// its default; with a file, whether a stack would accept it.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace netchannel::cli {

struct ConfigOptions {
  std::string file;  // empty: print the defaults
};

CLI::App* AddConfigCommand(CLI::App& app, ConfigOptions& options);
absl::Status RunConfig(const ConfigOptions& options);

}  // namespace netchannel::cli
