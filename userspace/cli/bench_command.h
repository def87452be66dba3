// SPDX-License-Identifier: Apache-2.0
//
// `netchannel bench`: one end of a measurement.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "cli/bench/protocol.h"
#include "cli/endpoint_options.h"

namespace CLI {
class App;
}

namespace netchannel::cli {

struct BenchOptions {
  EndpointOptions endpoint;
  Request request;
  bool server = false;
  bool once = false;
  bool json = false;
};

// Adds the subcommand to `app`; `options.request.workload` and the rest are set by parsing.
// Returns the subcommand, which says whether it was given.
CLI::App* AddBenchCommand(CLI::App& app, BenchOptions& options);
absl::Status RunBench(const BenchOptions& options);

}  // namespace netchannel::cli
