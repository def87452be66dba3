// SPDX-License-Identifier: Apache-2.0
#include "stack/core_facts.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace netchannel {
namespace {

TEST(CoreFacts, TicksAreReadByCpu) {
  const auto ticks = ParseCpuTicks(
      "cpu  100 0 100 700 10 5 15 0 0 0\n"
      "cpu0 40 0 50 400 10 5 5 0 0 0\n"
      "cpu2 60 0 50 300 0 0 10 3 0 0\n"
      "intr 123 4 5\n");
  ASSERT_EQ(ticks.size(), 3u);
  EXPECT_EQ(ticks[0].total, 510u);
  EXPECT_EQ(ticks[0].busy, 100u) << "without idle and iowait";
  EXPECT_EQ(ticks[0].interrupts, 10u);
  EXPECT_EQ(ticks[1].total, 0u) << "offline";
  EXPECT_EQ(ticks[2].busy, 123u);
}

TEST(CoreFacts, NonsenseIsIgnored) {
  EXPECT_TRUE(ParseCpuTicks("").empty());
  EXPECT_TRUE(ParseCpuTicks("cpux 1 2 3\ncpu99999999 1 2\n").empty());
}

TEST(CoreFacts, EveryCoreThatMayBeUsedIsThere) {
  const auto cores = ReadCores();
  ASSERT_FALSE(cores.empty());
  for (const Core& core : cores) {
    EXPECT_GE(core.interrupts, 0);
    EXPECT_LE(core.interrupts, 1);
    EXPECT_EQ(std::count_if(cores.begin(), cores.end(),
                            [&core](const Core& other) { return other.cpu == core.cpu; }),
              1);
  }
}

}  // namespace
}  // namespace netchannel
