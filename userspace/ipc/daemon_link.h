// SPDX-License-Identifier: Apache-2.0
//
// The way to the host's daemon. `socket_path`: its control socket; empty: the default
// (DaemonSocketPath in ipc/control.h).
//
// Owner: the client library. Thread: any. Errors: NotFound: no daemon; PermissionDenied: its socket
// is another group's; FailedPrecondition: another version, both named; ResourceExhausted: a limit
// of the daemon or of this process. A daemon that does not answer is given up after 5 s.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "ipc/link.h"

namespace netchannel::ipc {

// A new region of this process's own.
absl::StatusOr<std::unique_ptr<StackLink>> ConnectToDaemon(std::string_view socket_path);
// The region that the socket behind `anchor_fd` lies in, which stays the caller's.
absl::StatusOr<std::unique_ptr<StackLink>> AttachByAnchor(std::string_view socket_path,
                                                          int anchor_fd);
// Its status, as JSON. Control plane.
absl::StatusOr<std::string> DaemonStatus(std::string_view socket_path);

}  // namespace netchannel::ipc
