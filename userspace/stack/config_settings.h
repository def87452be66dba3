// SPDX-License-Identifier: Apache-2.0
//
// A configuration file with the command line's settings (SECTION.KEY=VALUE) over it.
//
// Thread: none, values. Errors: one line, with the file and line, or the setting.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "stack/config.h"

namespace netchannel {

// The TOML text of both. `path` empty: no file.
absl::StatusOr<std::string> ConfigTextOf(const std::string& path,
                                         const std::vector<std::string>& settings);

absl::StatusOr<Config> LoadConfigFile(const std::string& path,
                                      const std::vector<std::string>& settings);

}  // namespace netchannel
