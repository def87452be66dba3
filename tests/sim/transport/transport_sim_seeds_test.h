// SPDX-License-Identifier: Apache-2.0
//
// Which seeds the runs use; set from the command line and the environment.
#pragma once

#include <cstdint>

namespace netchannel::sim {

struct SeedRange {
  uint64_t first = 1;
  uint64_t count = 1000;
};
SeedRange& Seeds();

// How many seeds a bound on goodput under random loss is checked with, from 1; of the command line
// too.
uint64_t& LossSeeds();

}  // namespace netchannel::sim
