// SPDX-License-Identifier: Apache-2.0
#include "cli/status_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/status_connections.h"
#include "cli/status_socket.h"
#include "cli/status_table.h"

namespace netchannel::cli {
namespace {

absl::StatusOr<nlohmann::ordered_json> ParseStatus(const std::string& path) {
  const auto text = ReadStatus(path);
  if (!text.ok()) return text.status();
  auto status = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!status.is_discarded()) return status;
  return absl::DataLossError(absl::StrCat(path, ": the stack's answer is not JSON"));
}

}  // namespace

CLI::App* AddStatusCommand(CLI::App& app, StatusOptions& options) {
  CLI::App* const command =
      app.add_subcommand("status", "sessions, channels, queues, counters of the running stacks");
  command->add_option("--directory", options.directory, "where the stacks' status sockets are")
      ->capture_default_str();
  command->add_option("--pid", options.pid, "only the stack in this process");
  command->add_flag("--connections", options.connections,
                    "only the connections, whose they are, and what went over the kernel's TCP");
  command->add_flag("--json", options.json, "print JSON: one array with an object a stack");
  return command;
}

absl::Status RunStatus(const StatusOptions& options) {
  const auto sockets = FindStatusSockets(options.directory, options.pid);
  if (!sockets.ok()) return sockets.status();
  auto all = nlohmann::ordered_json::array();
  absl::Status failed;  // of the last stack that gave none; the others are shown all the same
  for (const std::string& path : *sockets) {
    auto status = ParseStatus(path);
    if (absl::IsNotFound(status.status())) continue;  // gone since the directory was read
    if (status.ok()) {
      all.push_back(options.connections ? SelectConnections(*status) : *std::move(status));
      continue;
    }
    if (!failed.ok())
      std::fprintf(stderr, "netchannel: %s\n", std::string(failed.message()).c_str());
    failed = status.status();
  }
  if (options.json) {
    std::printf("%s\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return failed;
  }
  if (all.empty() && failed.ok()) {
    return absl::NotFoundError(
        absl::StrCat("no stack is running (none listens in ", options.directory, ")"));
  }
  for (const auto& status : all) std::printf("%s\n", RenderStatus(status).c_str());
  return failed;
}

}  // namespace netchannel::cli
