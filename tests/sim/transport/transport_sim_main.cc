// SPDX-License-Identifier: Apache-2.0
//
// transport_sim_test [--seeds N] [--first-seed S] [--loss-seeds N] [gtest flags]
// NETCHANNEL_SIM_SEEDS is --seeds, where that is not given.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "transport_sim_seeds_test.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (const char* seeds = std::getenv("NETCHANNEL_SIM_SEEDS")) {
    netchannel::sim::Seeds().count = std::strtoull(seeds, nullptr, 10);
  }
  for (int i = 1; i + 1 < argc; i += 2) {
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seeds") == 0) netchannel::sim::Seeds().count = value;
    if (std::strcmp(argv[i], "--first-seed") == 0) netchannel::sim::Seeds().first = value;
    if (std::strcmp(argv[i], "--loss-seeds") == 0) netchannel::sim::LossSeeds() = value;
  }
  return RUN_ALL_TESTS();
}
