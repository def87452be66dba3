// SPDX-License-Identifier: Apache-2.0
#include "cli/stack_settings.h"

#include <sys/mman.h>
#include <unistd.h>

#include <sstream>
#include <utility>
#include <vector>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/interrupt.h"

namespace netchannel::cli {

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

absl::StatusOr<int> WriteToMemory(const std::string& text) {
  const int fd = memfd_create("netchannel.toml", MFD_CLOEXEC);
  if (fd < 0) return ErrnoError("memfd_create");
  if (write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return fd;
  const absl::Status status = ErrnoError("write the settings to memory");
  close(fd);
  return status;
}

}  // namespace

absl::StatusOr<StackSettings> StackSettings::Make(const EndpointOptions& options) {
  std::vector<std::string> settings = options.settings;
  if (options.channels != 0)
    settings.push_back(absl::StrCat("session.channels=", options.channels));
  if (settings.empty()) return StackSettings(options.config_path, -1);

  toml::table table;
  if (!options.config_path.empty()) {
    toml::parse_result parsed = toml::parse_file(options.config_path);
    if (!parsed) {
      return absl::InvalidArgumentError(absl::StrCat(options.config_path, ":",
                                                     parsed.error().source().begin.line, ": ",
                                                     std::string(parsed.error().description())));
    }
    table = std::move(parsed).table();
  }
  for (const std::string& setting : settings) {
    if (auto status = Apply(table, setting); !status.ok()) return status;
  }
  std::ostringstream text;
  text << table << "\n";
  const auto fd = WriteToMemory(text.str());
  if (!fd.ok()) return fd.status();
  return StackSettings(absl::StrCat("/proc/self/fd/", *fd), *fd);
}

StackSettings::StackSettings(StackSettings&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

StackSettings::~StackSettings() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace netchannel::cli
