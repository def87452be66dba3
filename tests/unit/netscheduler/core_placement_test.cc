// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/core_placement.h"

#include <gtest/gtest.h>

namespace netchannel {
namespace {

// Two packages of two cores of two hardware threads each: CPU n and n + 4 share a core.
std::vector<Core> Eight() {
  std::vector<Core> cores;
  for (uint32_t cpu = 0; cpu < 8; ++cpu) {
    const uint32_t package = cpu % 4 / 2;
    cores.push_back(
        {.cpu = cpu, .package = package, .core = cpu % 2, .node = static_cast<int32_t>(package)});
  }
  return cores;
}

TEST(CorePlacement, GivesEachThreadAPhysicalCore) {
  EXPECT_EQ(PlaceThreads(Eight(), 3, -1), (std::vector<uint32_t>{0, 1, 2}));
}

TEST(CorePlacement, PrefersTheNicsNode) {
  EXPECT_EQ(PlaceThreads(Eight(), 2, 1), (std::vector<uint32_t>{2, 3}));
}

TEST(CorePlacement, AvoidsCoresThatInterruptsTake) {
  auto cores = Eight();
  cores[0].interrupts = cores[4].interrupts = 0.3;
  cores[1].interrupts = 0.1;  // its sibling 5 has none
  EXPECT_EQ(PlaceThreads(cores, 2, 0), (std::vector<uint32_t>{5, 0}));
}

TEST(CorePlacement, LeavesACoreToTheStackOrPlacesNothing) {
  EXPECT_TRUE(PlaceThreads(Eight(), 4, -1).empty());
  EXPECT_TRUE(PlaceThreads({}, 1, -1).empty());
  EXPECT_TRUE(PlaceThreads(Eight(), 0, -1).empty());
}

}  // namespace
}  // namespace netchannel
