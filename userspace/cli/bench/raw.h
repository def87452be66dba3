// SPDX-License-Identifier: Apache-2.0
//
// AF_XDP alone: what the link carries when no protocol is in the way. Every frame's payload is
// copied in at the sender and out at the receiver, nothing is acknowledged, what the receiver
// misses is not counted.
//
// It takes the place of the stack on lane 0's UDP port, so the same steering program serves it. The
// Request and the Report travel in frames too, and are repeated until they are answered. `stream`
// and `messages` fill frames of the MTU or of --size, whichever is smaller; `pingpong` echoes one.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "cli/bench/harness.h"
#include "cli/bench/protocol.h"
#include "cli/endpoint_options.h"

namespace netchannel::cli {

absl::StatusOr<std::unique_ptr<Result>> RunRawClient(const EndpointOptions& options,
                                                     const Request& request);
absl::Status RunRawServer(const EndpointOptions& options, bool once);

}  // namespace netchannel::cli
