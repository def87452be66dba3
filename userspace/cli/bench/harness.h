// SPDX-License-Identifier: Apache-2.0
//
// One measurement over a ByteStream: who says what when, and what comes out. The client prints; the
// server's figures reach it in the Report.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "base/histogram.h"
#include "cli/bench/protocol.h"
#include "cli/bench/transport.h"
#include "cli/endpoint_options.h"

namespace netchannel::cli {

struct Result {
  Request request;
  Report client;
  Report server;
  Histogram round_trips;  // nanoseconds; empty unless ping-pong
};

// Runs the client's end on a connection of its own.
absl::StatusOr<std::unique_ptr<Result>> RunClient(Transport& transport, const Request& request);

// Serves one measurement after the other until Ctrl-C, or one only. A client that fails is reported
// on stderr and does not end the server. Prints "ready" on stdout once connections are accepted.
absl::Status RunServer(Transport& transport, bool once);

}  // namespace netchannel::cli
