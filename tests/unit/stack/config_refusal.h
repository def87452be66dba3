// SPDX-License-Identifier: Apache-2.0
//
// What a configuration is refused with.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "stack/config.h"

namespace netchannel {

inline std::string Refusal(absl::string_view text) {
  const auto config = ParseConfig(text, "test.toml");
  return config.ok() ? "accepted" : std::string(config.status().message());
}

}  // namespace netchannel
