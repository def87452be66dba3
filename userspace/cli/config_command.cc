// SPDX-License-Identifier: Apache-2.0
#include "cli/config_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "stack/config.h"

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
  std::ifstream file(options.file);
  if (!file) {
    return absl::NotFoundError(
        absl::StrCat(options.file, ": cannot be read; check its path and mode"));
  }
  std::stringstream text;
  text << file.rdbuf();
  if (const auto config = ParseConfig(text.str(), options.file); !config.ok()) {
    return config.status();
  }
  std::printf("%s: accepted\n", options.file.c_str());
  return absl::OkStatus();
}

}  // namespace netchannel::cli
