// SPDX-License-Identifier: Apache-2.0
//
// Many seeds of mixed faults. `--seeds N` (or NETCHANNEL_SIM_SEEDS) says how many, `--first S`
// where they begin,
// `--seed S` runs one. With NETCHANNEL_SIM_TRACE=1 the run of a seed prints its trace.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "sim/require.h"
#include "sim/scenario.h"

namespace netchannel::sim {
namespace {

struct Range {
  uint64_t first = 1;
  uint64_t count = 200;
};
Range range;  // set by main before the tests run
std::string program = "seeds_test";

TEST(Seeds, NoByteIsLostDoubledOrChanged) {
  uint64_t frames = 0, failed = 0, traces = 0;
  for (uint64_t seed = range.first; seed < range.first + range.count; ++seed) {
    ReproduceLine() = absl::StrCat("reproduce: ", program, " --seed ", seed);
    const ScenarioResult result = RunScenario(ScenarioOptions::FromSeed(seed));
    frames += result.frames;
    traces = traces * 31 + result.trace_hash;
    if (result.wrong.empty()) continue;
    ++failed;
    std::string text;
    for (size_t i = 0; i < result.wrong.size() && i < 8; ++i)
      absl::StrAppend(&text, "  ", result.wrong[i], "\n");
    ADD_FAILURE() << "seed " << seed << ":\n" << text << result.description << ReproduceLine();
  }
  std::printf("%lu seeds, %lu frames, %lu failed, trace %016lx\n",
              static_cast<unsigned long>(range.count), static_cast<unsigned long>(frames),
              static_cast<unsigned long>(failed), static_cast<unsigned long>(traces));
}

TEST(Seeds, SameSeedGivesSameTrace) {
  for (uint64_t seed = range.first; seed < range.first + std::min<uint64_t>(range.count, 10);
       ++seed) {
    const ScenarioResult first = RunScenario(ScenarioOptions::FromSeed(seed));
    const ScenarioResult second = RunScenario(ScenarioOptions::FromSeed(seed));
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.frames, second.frames) << "seed " << seed;
  }
}

TEST(Seeds, OtherSeedGivesOtherTrace) {
  EXPECT_NE(RunScenario(ScenarioOptions::FromSeed(1)).trace_hash,
            RunScenario(ScenarioOptions::FromSeed(2)).trace_hash);
}

bool ParseNumber(const std::string& text, uint64_t* out) {
  if (absl::SimpleAtoi(text, out)) return true;
  std::fprintf(stderr, "%s: not a number\n", text.c_str());
  return false;
}

bool ParseArguments(int argc, char** argv) {
  if (const char* text = std::getenv("NETCHANNEL_SIM_SEEDS")) {
    if (!ParseNumber(text, &range.count)) return false;
  }
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    uint64_t value = 0;
    if (i + 1 >= argc || !ParseNumber(argv[i + 1], &value)) return false;
    if (flag == "--seeds") {
      range.count = value;
    } else if (flag == "--first") {
      range.first = value;
    } else if (flag == "--seed") {
      range = {value, 1};
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace netchannel::sim

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  netchannel::sim::program = argv[0];
  if (!netchannel::sim::ParseArguments(argc, argv)) {
    std::fprintf(stderr, "usage: %s [--seeds N] [--first S] [--seed S]\n", argv[0]);
    return 2;
  }
  return RUN_ALL_TESTS();
}
