// SPDX-License-Identifier: Apache-2.0
#include "cli/run_command.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cli/program_image.h"
#include "netchannel/netchannel.h"

namespace netchannel::cli {
namespace {

constexpr char kLibrary[] = "libnetchannel_preload.so";

// Beside this program's file: where the build puts it, and where it is installed.
constexpr const char* kLibraryFolders[] = {"../preload", "../lib/netchannel", "../lib", "."};

absl::StatusOr<std::string> FindLibrary() {
  char self[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
  if (length <= 0) return absl::InternalError("cannot read /proc/self/exe");
  std::string folder(self, static_cast<size_t>(length));
  folder.resize(folder.rfind('/'));
  for (const char* below : kLibraryFolders) {
    char resolved[PATH_MAX];
    const std::string candidate = absl::StrCat(folder, "/", below, "/", kLibrary);
    if (realpath(candidate.c_str(), resolved) == nullptr) continue;
    if (std::strpbrk(resolved, " :") != nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat(resolved,
                       ": a space or colon in its path divides LD_PRELOAD: build or "
                       "install in a folder without"));
    }
    return std::string(resolved);
  }
  return absl::NotFoundError(
      absl::StrCat(kLibrary, " is not beside ", self, ": install both (scripts/install.sh)"));
}

// Empty: the daemon is there. Else why it cannot be used.
std::string AskDaemon(const RunOptions& options) {
  const char* path = options.daemon.empty() ? getenv("NETCHANNEL_DAEMON") : options.daemon.c_str();
  nc_stack* stack = nc_stack_connect(path);
  if (stack == nullptr) return nc_last_error();
  nc_stack_stop(stack);
  return "";
}

void Explain(const ProgramImage& image, const std::string& daemon) {
  std::printf("program: %s\n", image.path.c_str());
  if (!image.interpreter.empty()) std::printf("run by:  %s\n", image.interpreter.c_str());
  std::printf("it is:   %s\n", image.detail.c_str());
  std::printf("result:  %s\n", ExplainReach(image.reach));
  std::printf("daemon:  %s\n", daemon.empty() ? "running" : daemon.c_str());
  if (image.reach == Reach::kLibc) {
    std::printf(
        "note:    what it starts itself (children, plugins) is not looked at; UDP and Unix "
        "sockets are always the kernel's\n");
  }
}

// Empty: its connections go over NetChannel, as far as one can see.
std::string WhyNotReached(const absl::StatusOr<ProgramImage>& image, const std::string& daemon) {
  if (!image.ok()) {
    return absl::StrCat(image.status().message(),
                        ": whether the program is reached cannot be told");
  }
  if (image->reach == Reach::kLibc) return daemon;
  return absl::StrCat(image->path, " (", image->detail, "): ", ExplainReach(image->reach));
}

void Prepare(const RunOptions& options, const std::string& library) {
  const char* const other = getenv("LD_PRELOAD");
  const std::string preload =
      other != nullptr && *other != '\0' ? absl::StrCat(library, ":", other) : library;
  setenv("LD_PRELOAD", preload.c_str(), 1);
  if (!options.daemon.empty()) setenv("NETCHANNEL_DAEMON", options.daemon.c_str(), 1);
  if (!options.app_class.empty()) setenv("NETCHANNEL_CLASS", options.app_class.c_str(), 1);
  if (options.strict) setenv("NETCHANNEL_STRICT", "1", 1);
  if (options.spin) setenv("NETCHANNEL_SPIN", "1", 1);
}

}  // namespace

CLI::App* AddRunCommand(CLI::App& app, RunOptions& options) {
  CLI::App* const command =
      app.add_subcommand("run", "run an unmodified program: -- PROGRAM ARGS...");
  command->add_option("--class", options.app_class, "class of its connections")
      ->check(CLI::IsMember({"latency", "throughput"}));
  command->add_option("--daemon", options.daemon, "the daemon's control socket");
  command->add_flag("--strict", options.strict,
                    "fail instead of using kernel TCP: no daemon, no NetChannel at the peer");
  command->add_flag("--spin", options.spin, "blocking calls spin instead of sleeping");
  command->add_flag("--explain", options.explain, "only say how the program would run");
  command->add_option("PROGRAM", options.command, "the program and its arguments")
      ->required()
      ->expected(-1);
  command->positionals_at_end();
  return command;
}

absl::Status RunProgram(const RunOptions& options) {
  const auto image = InspectProgram(options.command.front());
  if (absl::IsNotFound(image.status()) || (options.explain && !image.ok())) return image.status();
  const std::string daemon = AskDaemon(options);
  if (options.explain) {
    Explain(*image, daemon);
    return absl::OkStatus();
  }
  const auto library = FindLibrary();
  if (!library.ok()) return library.status();
  const std::string why = WhyNotReached(image, daemon);
  if (!why.empty()) {
    if (options.strict) return absl::UnavailableError(absl::StrCat("--strict: ", why));
    std::fprintf(stderr, "netchannel: %s%s\n", why.c_str(),
                 daemon == why ? "; the program runs on kernel TCP" : "");
  }
  Prepare(options, *library);
  std::vector<char*> arguments;
  for (const std::string& one : options.command)
    arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments.front(), arguments.data());
  return absl::NotFoundError(
      absl::StrCat(options.command.front(), ": cannot be run: ", std::strerror(errno)));
}

}  // namespace netchannel::cli
