// SPDX-License-Identifier: Apache-2.0
//
// The daemon's control socket, and who is at its other end.
//
// Thread: any. Errors: say the path and what to do.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "stack/fallback_log.h"

namespace netchannel {

// Listens at `path` (mode 0660; `group` may connect, empty: the daemon's own). Takes the place of a
// socket that nobody listens on; AlreadyExists when another daemon does.
absl::StatusOr<UniqueFd> ListenAt(const std::string& path, const std::string& group);

// The process that has connected (SO_PEERCRED); its command stays unknown.
ApplicationInfo PeerOf(int connection);

// What a process calls itself: any bytes, at most 15.
std::string CommandOf(pid_t process);

}  // namespace netchannel
