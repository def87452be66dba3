// SPDX-License-Identifier: Apache-2.0
//
// One-line errors of one form: "operation object: what the kernel said; what to do about it".
#pragma once

#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace netchannel::xdp {

// `error` is a positive errno value.
inline absl::Status Failure(int error, absl::string_view what, absl::string_view cure) {
  return absl::Status(absl::ErrnoToStatusCode(error),
                      absl::StrCat(what, ": ", std::strerror(error), "; ", cure));
}

}  // namespace netchannel::xdp
