// SPDX-License-Identifier: Apache-2.0
#include "cli/stack_settings.h"

#include <sys/mman.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/interrupt.h"
#include "stack/config_settings.h"

namespace netchannel::cli {

namespace {

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

  const auto text = ConfigTextOf(options.config_path, settings);
  if (!text.ok()) return text.status();
  const auto fd = WriteToMemory(*text);
  if (!fd.ok()) return fd.status();
  return StackSettings(absl::StrCat("/proc/self/fd/", *fd), *fd);
}

StackSettings::StackSettings(StackSettings&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

StackSettings::~StackSettings() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace netchannel::cli
