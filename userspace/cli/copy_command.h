// SPDX-License-Identifier: Apache-2.0
//
// `netchannel copy`: one file over one connection, checked end to end with SHA-256. The sender
// hashes the file before it connects and the receiver after the last byte, so the measured time is
// the stack's, not the hash's. Thread: main. Errors: a digest that differs is DataLoss at both
// ends, and the received file is removed.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "cli/endpoint_options.h"

namespace CLI {
class App;
}

namespace netchannel::cli {

struct CopyOptions {
  EndpointOptions endpoint;
  std::string path;
  bool send = false;
  bool json = false;
  bool quiet = false;  // no progress
};

CLI::App* AddCopyCommand(CLI::App& app, CopyOptions& options);
absl::Status RunCopy(const CopyOptions& options);

}  // namespace netchannel::cli
