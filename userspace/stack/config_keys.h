// SPDX-License-Identifier: Apache-2.0
//
// The table behind stack/config.h: one row a key. Adding a key is adding a field and a row.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "stack/config.h"

namespace netchannel {

// Where the value goes and what it may be.
struct UintField {
  uint32_t Config::*field;
  uint32_t min, max;
};
struct PortField {
  uint16_t Config::*field;
  uint16_t min, max;
};
struct BoolField {
  bool Config::*field;
};
struct TextField {
  std::string Config::*field;
  std::vector<absl::string_view> allowed;  // empty: any text
};
struct TextListField {
  std::vector<std::string> Config::*field;
  size_t max_count;
};
struct UintListField {
  std::vector<uint32_t> Config::*field;
  uint32_t max;
  size_t max_count;
};
using ConfigField =
    std::variant<UintField, PortField, BoolField, TextField, TextListField, UintListField>;

struct ConfigKey {
  absl::string_view section;
  absl::string_view name;
  ConfigField field;
  absl::string_view unit;  // "" where the value has none
  absl::string_view meaning;
};

absl::Span<const ConfigKey> ConfigKeys();

}  // namespace netchannel
