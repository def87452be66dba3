// SPDX-License-Identifier: Apache-2.0
//
// One-line errors of one form: "operation object: what the kernel said; what to do about it".
#pragma once

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace netchannel::xdp {

// `error` is a positive errno value. A kernel without bpf(2) needs another cure than `cure`.
inline absl::Status Failure(int error, absl::string_view what, absl::string_view cure) {
  if (error == ENOSYS) {
    cure = "use a kernel with CONFIG_BPF_SYSCALL, or a container that permits bpf(2)";
  }
  return absl::Status(absl::ErrnoToStatusCode(error),
                      absl::StrCat(what, ": ", std::strerror(error), "; ", cure));
}

}  // namespace netchannel::xdp
