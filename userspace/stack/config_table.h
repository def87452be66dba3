// SPDX-License-Identifier: Apache-2.0
//
// Between TOML and Config, for those who read a configuration from more than one place: a file, and
// settings over it. Thread: any. Errors: one line; `origin` names the place, a value of a parsed
// text has its line there, and one that was made in memory has none.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "stack/config.h"
#include "stack/toml.h"

namespace netchannel {

// Control characters of what the message quotes are shown as '?': it stays one line.
absl::Status OneLineError(std::string message);

absl::StatusOr<toml::table> ParseToml(absl::string_view text, absl::string_view origin);

// Over what `config` has. The relations between keys are not checked: see CheckConfig.
absl::Status ReadTable(absl::string_view origin, const toml::table& table, Config& config);

// "netchannel.toml:3", or the origin alone.
std::string PlaceOf(absl::string_view origin, const toml::node& node);

}  // namespace netchannel
