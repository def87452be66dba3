// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/protocol.h"

#include "absl/strings/str_cat.h"

namespace netchannel::cli {

absl::Status CheckRequest(const Request& request) {
  if (request.workload < Workload::kStream || request.workload > Workload::kIdle) {
    return absl::InvalidArgumentError("the peer asks for an unknown workload");
  }
  if (request.size == 0 || request.size > kMaxSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("size ", request.size, ": from 1 to ", kMaxSize, " bytes"));
  }
  if (request.workload == Workload::kIdle && request.count > kMaxIdleConnections) {
    return absl::InvalidArgumentError(
        absl::StrCat("count ", request.count, ": at most ", kMaxIdleConnections, " connections"));
  }
  return absl::OkStatus();
}

}  // namespace netchannel::cli
