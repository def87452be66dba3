// SPDX-License-Identifier: Apache-2.0
//
// Reads the `class_rules` of a configuration: an array of tables, whose keys are in
// stack/class_rules.h. Thread: any; user names are looked up in the host's accounts. Errors: one
// line with file, line and key.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "stack/class_rules.h"
#include "stack/toml.h"

namespace netchannel {

absl::StatusOr<std::vector<ClassRule>> ReadClassRules(absl::string_view origin,
                                                      const toml::node& node);
// A commented example with every key, for the reference of all keys.
std::string ClassRulesText();

}  // namespace netchannel
