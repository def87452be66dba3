// SPDX-License-Identifier: Apache-2.0
#include "stack/config_settings.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "stack/config_table.h"

namespace netchannel {

namespace {

struct Loaded {
  Config config;
  toml::table table;  // what it was read from
};

absl::StatusOr<toml::table> ParseFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  std::stringstream text;
  if (file) text << file.rdbuf();  // sets failbit also for an empty file
  if (!file || (text.fail() && errno != 0)) {
    return OneLineError(absl::StrCat("read the configuration ", path, ": ", std::strerror(errno),
                                     "; check its path and mode"));
  }
  return ParseToml(text.str(), path);
}

std::string TextOf(const toml::table& table) {
  std::ostringstream text;
  text << table << "\n";
  return text.str();
}

// Whether a text can be said in TOML: not every argument is UTF-8.
bool IsSayable(const std::string& word) {
  const toml::table table{{"v", word}};
  const toml::parse_result again = toml::parse(TextOf(table));
  return again && again.table() == table;
}

// `session.channels=4` as the table of one section with one key.
absl::StatusOr<toml::table> ParseSetting(const std::string& setting) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(setting, absl::MaxSplits('=', 1));
  const std::vector<std::string> names = absl::StrSplit(parts.first, '.');
  if (names.size() != 2 || parts.second.empty()) {
    return OneLineError(absl::StrCat("--set ", setting,
                                     ": write SECTION.KEY=VALUE, for example session.channels=4"));
  }
  toml::table section;
  const toml::parse_result value = toml::parse(absl::StrCat("v = ", parts.second));
  if (value && value.table().size() == 1) {
    section.insert(names[1], *value.table().get("v"));
  } else {
    // A value that is no TOML by itself is a word: `session.congestion=dctcp` needs no quotes in a
    // shell. One that is a whole text, of which only the first line would count, is none of a key.
    if (!IsSayable(parts.second)) {
      return OneLineError(absl::StrCat("--set ", setting, ": the value is not UTF-8"));
    }
    section.insert(names[1], parts.second);
  }
  toml::table table;
  table.insert(names[0], std::move(section));
  return table;
}

// Both have been read into a Config: what has the same name is of the same kind.
void PutOver(toml::table& table, toml::table&& setting) {
  for (auto&& [name, section] : setting) {
    auto [into, inserted] = table.insert(name, toml::table{});
    for (auto&& [key, value] : *section.as_table()) {
      into->second.as_table()->insert_or_assign(key, std::move(value));
    }
  }
}

absl::StatusOr<Loaded> Load(const std::string& path, const std::vector<std::string>& settings) {
  Loaded loaded;
  if (!path.empty()) {
    auto table = ParseFile(path);
    if (!table.ok()) return table.status();
    if (auto status = ReadTable(path, *table, loaded.config); !status.ok()) return status;
    loaded.table = *std::move(table);
  }
  for (const std::string& setting : settings) {
    auto table = ParseSetting(setting);
    if (!table.ok()) return table.status();
    const std::string origin = absl::StrCat("--set ", setting);
    if (auto status = ReadTable(origin, *table, loaded.config); !status.ok()) return status;
    PutOver(loaded.table, *std::move(table));
  }
  if (auto status = CheckConfig(loaded.config); !status.ok()) {
    const absl::string_view joint = path.empty() || settings.empty() ? "" : " with ";
    return OneLineError(absl::StrCat(path, joint, settings.empty() ? "" : "the command line", ": ",
                                     status.message()));
  }
  return loaded;
}

}  // namespace

absl::StatusOr<Config> LoadConfigFile(const std::string& path,
                                      const std::vector<std::string>& settings) {
  auto loaded = Load(path, settings);
  if (!loaded.ok()) return loaded.status();
  return std::move(loaded->config);
}

absl::StatusOr<std::string> ConfigTextOf(const std::string& path,
                                         const std::vector<std::string>& settings) {
  const auto loaded = Load(path, settings);
  if (!loaded.ok()) return loaded.status();
  return TextOf(loaded->table);
}

}  // namespace netchannel
