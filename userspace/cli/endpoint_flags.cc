// SPDX-License-Identifier: Apache-2.0
#include "cli/endpoint_flags.h"

#include <sched.h>

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "base/stream.h"
#include "cli/interrupt.h"
#include "cli/new_file.h"
#include "wire/packet_layout.h"

namespace netchannel::cli {

void AddEndpointFlags(CLI::App& command, EndpointOptions& options,
                      const std::vector<std::string>& transports) {
  command.add_option("--over", options.over, "the stack under the connection")
      ->check(CLI::IsMember(transports))
      ->capture_default_str();
  command.add_option("--interface,-i", options.interface,
                     "network interface, prepared by scripts/setup.sh (netchannel, raw)");
  command.add_option("--config", options.config_path, "TOML file of the stack (netchannel)")
      ->check(CLI::ExistingFile);
  command.add_option("--set", options.settings,
                     "SECTION.KEY=VALUE, wins over the file; may be repeated (netchannel)");
  command.add_option("--port", options.port, "port of the server")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  command
      .add_option("--class", options.app_class,
                  "class of the sockets; automatic: none is chosen (netchannel)")
      ->check(CLI::IsMember({"throughput", "latency", "automatic"}))
      ->capture_default_str();
  command
      .add_option("--channels", options.channels,
                  "channels of each class, session.channels (netchannel)")
      ->check(CLI::Range(1, wire::kMaxChannels / kAppClasses));
  command.add_option("--congestion", options.congestion,
                     "TCP_CONGESTION, for example cubic (tcp, tcp-uring); session.congestion "
                     "(netchannel)");
  command.add_flag("--nodelay", options.nodelay, "TCP_NODELAY (tcp, tcp-uring)");
  command.add_flag("--spin", options.spin, "blocking calls spin instead of sleeping");
  command.add_option("--cpu", options.cpu, "run on this CPU only")
      ->check(CLI::Range(0, CPU_SETSIZE - 1));
  command.add_option("--status", options.status_path,
                     "write the stack's status as JSON to this file at the end (netchannel)");
}

absl::Status PrepareEndpoint(const EndpointOptions& options) {
  const bool kernel_tcp = options.over == "tcp" || options.over == "tcp-uring";
  if (!kernel_tcp && options.interface.empty() && options.config_path.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--over ", options.over, " needs --interface, prepared by scripts/setup.sh"));
  }
  // Now, not when the work is done.
  if (!options.status_path.empty()) {
    if (auto status = CheckWritable(options.status_path); !status.ok()) return status;
  }
  if (options.cpu < 0) return absl::OkStatus();
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(options.cpu), &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("--cpu ", options.cpu, ": no such CPU here"));
  }
  return absl::OkStatus();
}

}  // namespace netchannel::cli
