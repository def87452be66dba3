// SPDX-License-Identifier: Apache-2.0
//
// A configuration file with the command line's settings (SECTION.KEY=VALUE) over it.
//
// Thread: none, values. Errors: one line, with the file and its line, or the setting.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "stack/config.h"

namespace netchannel {

// `path` empty: no file.
absl::StatusOr<Config> LoadConfigFile(const std::string& path,
                                      const std::vector<std::string>& settings);

// The same as one TOML text, for who can only be given a file. What LoadConfigFile refuses is
// refused here, with the same words: who reads the text finds no error in it.
absl::StatusOr<std::string> ConfigTextOf(const std::string& path,
                                         const std::vector<std::string>& settings);

}  // namespace netchannel
