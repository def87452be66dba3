// SPDX-License-Identifier: Apache-2.0
//
// The configuration file of the stack that a subcommand starts, with the command line's settings
// applied.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cli/endpoint_options.h"

namespace netchannel::cli {

// Holds the path to give to nc_stack_start: the user's own file, a changed copy of it in memory, or
// none.
class StackSettings {
 public:
  static absl::StatusOr<StackSettings> Make(const EndpointOptions& options);
  StackSettings(StackSettings&& other) noexcept;
  StackSettings& operator=(StackSettings&&) = delete;
  ~StackSettings();

  const char* path() const { return path_.empty() ? nullptr : path_.c_str(); }
  bool in_memory() const { return fd_ >= 0; }

 private:
  StackSettings(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_;  // of the copy, or -1
};

}  // namespace netchannel::cli
