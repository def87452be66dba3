// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <vector>

#include "cli/bench/harness.h"
#include "cli/bench/raw.h"
#include "cli/bench/report.h"
#include "cli/endpoint_flags.h"

namespace netchannel::cli {

namespace {

struct WorkloadFlags {
  const char* name;
  const char* help;
  Workload workload;
  uint64_t size;
  uint64_t count;
  double seconds;
};

constexpr WorkloadFlags kWorkloads[] = {
    {"stream", "goodput of one connection, large writes", Workload::kStream, 256 * 1024, 0, 3},
    {"messages", "rate of one send a message, one connection", Workload::kMessages, 64, 0, 3},
    {"pingpong", "round-trip times, one at a time", Workload::kPingPong, 64, 0, 3},
    {"idle", "CPU and memory of open connections", Workload::kIdle, 1, 1, 10},
};

void AddWorkload(CLI::App& bench, const WorkloadFlags& flags, BenchOptions& options) {
  CLI::App* const command = bench.add_subcommand(flags.name, flags.help);
  std::vector<std::string> transports = {"netchannel", "tcp", "raw"};
  // Connections that are idle have no requests.
  if (flags.workload != Workload::kIdle) transports.insert(transports.begin() + 2, "tcp-uring");
  AddEndpointFlags(*command, options.endpoint, transports);
  auto* const server =
      command->add_flag("--server", options.server, "serve until interrupted, or --once");
  command->add_flag("--once", options.once, "serve one measurement and exit")->needs(server);
  command->add_option("--connect", options.endpoint.address, "address of the server")
      ->excludes(server);
  command->add_option("--queue", options.endpoint.queue, "receive and transmit queue (raw)");
  command->add_option("--peer-mac", options.endpoint.peer_mac,
                      "the peer's Ethernet address (raw); else the kernel's neighbour entry");
  command->add_option("--size", options.request.size, "bytes of one send")
      ->check(CLI::Range(uint64_t{1}, kMaxSize));
  auto* const count = command->add_option("--count", options.request.count,
                                          "stop after this many (idle: connections)");
  auto* const seconds =
      command->add_option("--seconds", options.request.seconds, "stop after this time")
          ->check(CLI::Range(0.001, 86400.0));
  if (flags.workload != Workload::kIdle) seconds->excludes(count);
  command->add_flag("--json", options.json, "print one line of JSON");
  command->preparse_callback([&options, &flags](size_t) {
    options.request = {.workload = flags.workload,
                       .size = flags.size,
                       .count = flags.count,
                       .seconds = flags.seconds};
  });
}

absl::StatusOr<std::unique_ptr<Result>> MeasureOver(const BenchOptions& options) {
  if (options.endpoint.over == "raw") return RunRawClient(options.endpoint, options.request);
  auto transport = OpenTransport(options.endpoint);
  if (!transport.ok()) return transport.status();
  auto result = RunClient(**transport, options.request);
  if (!result.ok()) return result;
  if (auto status = SaveStatus(**transport, options.endpoint); !status.ok()) return status;
  return result;
}

absl::Status Serve(const BenchOptions& options) {
  if (options.endpoint.over == "raw") return RunRawServer(options.endpoint, options.once);
  auto transport = OpenTransport(options.endpoint);
  if (!transport.ok()) return transport.status();
  if (auto status = RunServer(**transport, options.once); !status.ok()) return status;
  return SaveStatus(**transport, options.endpoint);
}

}  // namespace

CLI::App* AddBenchCommand(CLI::App& app, BenchOptions& options) {
  CLI::App* const bench = app.add_subcommand("bench", "measure: one process at each end");
  bench->require_subcommand(1);
  for (const WorkloadFlags& flags : kWorkloads) AddWorkload(*bench, flags, options);
  return bench;
}

absl::Status RunBench(const BenchOptions& options) {
  if (!options.server && options.endpoint.address.empty()) {
    return absl::InvalidArgumentError(
        "bench: give --server at one end and --connect ADDRESS at the other");
  }
  if (auto status = PrepareEndpoint(options.endpoint); !status.ok()) return status;
  if (options.server) return Serve(options);
  const auto result = MeasureOver(options);
  if (!result.ok()) return result.status();
  const std::string text =
      options.json ? ToJson(**result, options.endpoint) + "\n" : ToText(**result, options.endpoint);
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace netchannel::cli
