// SPDX-License-Identifier: Apache-2.0
#include "stack/config_settings.h"

#include <sstream>
#include <utility>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace netchannel {

namespace {

absl::Status Apply(toml::table& into, const std::string& setting) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(setting, absl::MaxSplits('=', 1));
  const std::vector<std::string> names = absl::StrSplit(parts.first, '.');
  if (names.size() != 2 || parts.second.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--set ", setting, ": write SECTION.KEY=VALUE, for example session.channels=4"));
  }
  // A value that is no TOML by itself is a word: `session.congestion=dctcp` needs no quotes in a
  // shell.
  toml::parse_result value = toml::parse(absl::StrCat("v = ", parts.second));
  if (!value) value = toml::parse(absl::StrCat("v = '", parts.second, "'"));
  if (!value) return absl::InvalidArgumentError(absl::StrCat("--set ", setting, ": bad value"));
  auto [section, inserted] = into.insert(names[0], toml::table{});
  if (!section->second.is_table()) {
    return absl::InvalidArgumentError(absl::StrCat("--set ", setting, ": no section ", names[0]));
  }
  section->second.as_table()->insert_or_assign(names[1], *value.table().get("v"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ConfigTextOf(const std::string& path,
                                         const std::vector<std::string>& settings) {
  toml::table table;
  if (!path.empty()) {
    toml::parse_result parsed = toml::parse_file(path);
    if (!parsed) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", static_cast<uint32_t>(parsed.error().source().begin.line), ": ",
                       std::string(parsed.error().description())));
    }
    table = std::move(parsed).table();
  }
  for (const std::string& setting : settings) {
    if (auto status = Apply(table, setting); !status.ok()) return status;
  }
  std::ostringstream text;
  text << table << "\n";
  return text.str();
}

absl::StatusOr<Config> LoadConfigFile(const std::string& path,
                                      const std::vector<std::string>& settings) {
  const auto text = ConfigTextOf(path, settings);
  if (!text.ok()) return text.status();
  return ParseConfig(*text, path.empty() ? "configuration" : path);
}

}  // namespace netchannel
