// SPDX-License-Identifier: Apache-2.0
//
// netchanneld, in the foreground. "ready" on its output, and READY=1 to the service manager, when
// applications can connect. SIGTERM and SIGINT end it. Exit status: 0 ended, 1 an error (one line
// on stderr says what and what to do).
#include <signal.h>
#include <sys/signalfd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "daemon/daemon.h"
#include "daemon/guardian.h"
#include "daemon/service_manager.h"
#include "ipc/futex.h"
#include "stack/config_settings.h"

namespace netchannel {
namespace {

struct Arguments {
  std::string interface, config_path;
  std::vector<std::string> settings;
};

absl::StatusOr<Config> LoadConfig(const Arguments& arguments) {
  auto config = LoadConfigFile(arguments.config_path, arguments.settings);
  if (!config.ok()) return config.status();
  if (!arguments.interface.empty()) config->interface = arguments.interface;
  if (config->interface.empty()) {
    return absl::InvalidArgumentError(
        "no interface: give --interface, or host.interface in the configuration");
  }
  return config;
}

sigset_t BlockEndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Until a signal. While rounds go on, the service manager hears so.
void WaitForEnd(const Daemon& daemon, const sigset_t& signals) {
  const std::optional<Duration> watchdog = WatchdogPeriod();
  // A third: one that comes late is not missed.
  const timespec period =
      ipc::ToTimespec(watchdog ? Duration::Nanos(watchdog->nanos() / 3) : Duration::Seconds(3600));
  uint64_t seen = daemon.rounds();
  while (sigtimedwait(&signals, nullptr, &period) < 0) {
    const uint64_t rounds = daemon.rounds();
    if (watchdog && rounds != seen) NotifyServiceManager("WATCHDOG=1");
    seen = rounds;
  }
}

absl::Status Run(const Arguments& arguments) {
  const sigset_t signals = BlockEndingSignals();
  const auto config = LoadConfig(arguments);
  if (!config.ok()) return config.status();
  auto daemon = Daemon::Start(*config);
  if (!daemon.ok()) return daemon.status();
  std::printf("ready\n");
  std::fflush(stdout);
  NotifyServiceManager("READY=1");
  WaitForEnd(**daemon, signals);
  NotifyServiceManager("STOPPING=1");
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("NetChannel's daemon: one stack for all programs of the host", "netchanneld");
  Arguments arguments;
  app.set_version_flag("--version", NETCHANNEL_VERSION);
  app.add_option("--interface", arguments.interface,
                 "the network interface, prepared by scripts/setup.sh");
  app.add_option("--config", arguments.config_path,
                 "a TOML file; `netchannel config` lists all keys");
  app.add_option("--set", arguments.settings, "SECTION.KEY=VALUE, over the file's");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::fprintf(stderr, "netchanneld: %s (see netchanneld --help)\n", error.what());
    return 1;
  }
  const absl::Status status = Run(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "netchanneld: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace netchannel

int main(int argc, char** argv) {
  if (argc == 2 && argv[1] == netchannel::kGuardianArgument) netchannel::RunGuardian();
  return netchannel::Main(argc, argv);
}
