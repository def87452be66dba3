// SPDX-License-Identifier: Apache-2.0
//
// Which seeds the mixed-fault runs use; set from the command line.
#pragma once

#include <cstdint>

namespace netchannel::sim {

struct SeedRange {
  uint64_t first = 1;
  uint64_t count = 1000;
};
SeedRange& Seeds();

}  // namespace netchannel::sim
