// SPDX-License-Identifier: Apache-2.0
#include "client/fallback.h"

#include "client/address.h"
#include "client/stack.h"
#include "ipc/calls.h"

namespace netchannel {

int ReportFallback(nc_stack* stack, ipc::FallbackReason reason, const sockaddr* peer,
                   socklen_t length) {
  ipc::CallRequest report;
  report.op = ipc::Op::kReportFallback;
  report.argument = static_cast<uint32_t>(reason);
  if (const int error = ParseSockaddr(peer, length, &report.address); error != 0) return error;
  return stack->Latest()->calls.Execute(report).error;
}

}  // namespace netchannel
