// SPDX-License-Identifier: Apache-2.0
//
// The flags of EndpointOptions, the same in every subcommand that has them.
#pragma once

#include "absl/status/status.h"
#include "cli/endpoint_options.h"

namespace CLI {
class App;
}

namespace netchannel::cli {

// `transports` are the values that --over may take in this subcommand.
void AddEndpointFlags(CLI::App& command, EndpointOptions& options,
                      const std::vector<std::string>& transports);

// What must hold before anything is opened; pins the process when asked to.
absl::Status PrepareEndpoint(const EndpointOptions& options);

}  // namespace netchannel::cli
