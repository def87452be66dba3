// SPDX-License-Identifier: Apache-2.0
//
// The client's other way to a stack, which this library does not go: an unmodified program's
// sockets are the daemon's.
#include "absl/status/status.h"
#include "ipc/link.h"

namespace netchannel::ipc {

absl::StatusOr<std::unique_ptr<StackLink>> StartEmbeddedStack(std::string_view, std::string_view,
                                                              std::string_view) {
  return absl::UnimplementedError("the preload library has no embedded stack");
}

}  // namespace netchannel::ipc
