// SPDX-License-Identifier: Apache-2.0
//
// What a program's file says about how it reaches its sockets: whether a preload library is loaded
// into it at all, and whether its calls pass through libc.
//
// Thread: any. Errors: absl::Status, saying the file and what to do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace netchannel::cli {

enum class Reach {
  kLibc,         // its socket calls go through glibc: the preload library sees them
  kIoUring,      // it may set up an io_uring: its sockets are the kernel's from then on
  kRawSyscalls,  // Go: its runtime calls the kernel itself
  kStatic,       // no dynamic linker, no preload library
  kOtherLibc,    // another libc than the preload library's
  kOtherAbi,     // another machine or word size
  kPrivileged,   // setuid, setgid or with capabilities: LD_PRELOAD is ignored
};

struct ProgramImage {
  std::string path;         // of the file that the kernel runs
  std::string interpreter;  // of a script: the program that runs it; else empty
  Reach reach = Reach::kLibc;
  std::string detail;  // what in the file says so
};

// `name`: as execvp() takes it. Follows #! lines, also through env. NotFound: there is no such
// program. Any other error: it may run all the same, and cannot be told.
absl::StatusOr<ProgramImage> InspectProgram(const std::string& name);

// One sentence: what will happen to its connections.
const char* ExplainReach(Reach reach);

}  // namespace netchannel::cli
