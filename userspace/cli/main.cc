// SPDX-License-Identifier: Apache-2.0
//
// The `netchannel` command. Exit status: 0 done, 1 an error (one line on stderr says what and what
// to do), 130 interrupted.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "absl/status/status.h"
#include "cli/bench_command.h"
#include "cli/config_command.h"
#include "cli/copy_command.h"
#include "cli/interrupt.h"
#include "cli/run_command.h"
#include "cli/status_command.h"
#include "cli/steer_command.h"

namespace netchannel::cli {

namespace {

constexpr int kExitError = 1;
constexpr int kExitInterrupted = 130;

int Report(const absl::Status& status) {
  if (status.ok()) return 0;
  if (absl::IsCancelled(status)) return kExitInterrupted;
  const std::string message(status.message());
  std::fprintf(stderr, "netchannel: %s\n", message.c_str());
  return kExitError;
}

int Main(int argc, char** argv) {
  CLI::App app("NetChannel, a host network stack", "netchannel");
  app.require_subcommand(1);
  app.set_version_flag("--version", NETCHANNEL_VERSION);
  BenchOptions bench_options;
  StatusOptions status_options;
  CopyOptions copy_options;
  ConfigOptions config_options;
  RunOptions run_options;
  SteerOptions steer_options;
  const CLI::App* const bench = AddBenchCommand(app, bench_options);
  const CLI::App* const copy = AddCopyCommand(app, copy_options);
  const CLI::App* const status = AddStatusCommand(app, status_options);
  const CLI::App* const config = AddConfigCommand(app, config_options);
  const CLI::App* const run = AddRunCommand(app, run_options);
  const CLI::App* const steer = AddSteerCommand(app, steer_options);
  const CLI::App* const version = app.add_subcommand("version", "print the version");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::fprintf(stderr, "netchannel: %s (see netchannel --help)\n", error.what());
    return kExitError;
  }
  // Before anything is set up here that the program would inherit.
  if (*run) return Report(RunProgram(run_options));
  InstallInterruptHandlers();
  if (*bench) return Report(RunBench(bench_options));
  if (*copy) return Report(RunCopy(copy_options));
  if (*status) return Report(RunStatus(status_options));
  if (*config) return Report(RunConfig(config_options));
  if (*steer) return Report(RunSteer(steer_options));
  if (*version) std::printf("netchannel %s\n", NETCHANNEL_VERSION);
  return 0;
}

}  // namespace

}  // namespace netchannel::cli

int main(int argc, char** argv) { return netchannel::cli::Main(argc, argv); }
