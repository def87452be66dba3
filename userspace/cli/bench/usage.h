// SPDX-License-Identifier: Apache-2.0
//
// What this process has used: CPU of all its threads, resident memory, and the monotonic clock to
// put them on. Thread: any. Errors: none; a figure that the kernel does not give is 0.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace netchannel::cli {

Time Now();
Duration ProcessCpu();
uint64_t ResidentBytes();

}  // namespace netchannel::cli
