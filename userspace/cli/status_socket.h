// SPDX-License-Identifier: Apache-2.0
//
// The status sockets: each running stack listens on DIRECTORY/<pid>.sock, and answers a connection
// with its status as JSON and the end of the stream. Nothing is asked, so there is nothing to get
// wrong.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace netchannel::cli {

// Paths in the order of their pids. pid 0: all; otherwise NotFound when that process has none.
absl::StatusOr<std::vector<std::string>> FindStatusSockets(const std::string& directory, int pid);

// NotFound when nobody listens (any more). A stack that does not answer within two seconds:
// DeadlineExceeded.
absl::StatusOr<std::string> ReadStatus(const std::string& path);

}  // namespace netchannel::cli
