// SPDX-License-Identifier: Apache-2.0
//
// The way to the host's daemon. `socket_path`: its control socket; empty: the default.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "ipc/link.h"

namespace netchannel::ipc {

// A new region of this process's own.
absl::StatusOr<std::unique_ptr<StackLink>> ConnectToDaemon(std::string_view socket_path);
// The region that the socket behind `anchor_fd` lies in, which stays the caller's.
absl::StatusOr<std::unique_ptr<StackLink>> AttachByAnchor(std::string_view socket_path,
                                                          int anchor_fd);

}  // namespace netchannel::ipc
