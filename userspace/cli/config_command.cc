// SPDX-License-Identifier: Apache-2.0
#include "cli/config_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "stack/config.h"
#include "stack/config_settings.h"

namespace netchannel::cli {

CLI::App* AddConfigCommand(CLI::App& app, ConfigOptions& options) {
  CLI::App* command =
      app.add_subcommand("config", "print every configuration key at its default, or check a file");
  command->add_option("FILE", options.file, "TOML file to check");
  return command;
}

absl::Status RunConfig(const ConfigOptions& options) {
  if (options.file.empty()) {
    std::fputs(DefaultConfigText().c_str(), stdout);
    return absl::OkStatus();
  }
  if (const auto config = LoadConfigFile(options.file, {}); !config.ok()) return config.status();
  std::printf("%s: accepted\n", options.file.c_str());
  return absl::OkStatus();
}

}  // namespace netchannel::cli
