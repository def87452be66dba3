// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target without libFuzzer: `target [--runs N] [--seed S] [--first R] [FILE...]`.
// Input number R of seed S depends on nothing else, so a failure is reproduced by the line that is
// printed when one happens. Files are run as they are.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/rng.h"
#include "fuzz_target.h"

// As libFuzzer has it.
extern "C" __attribute__((weak)) int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace netchannel::fuzz {
namespace {

constexpr size_t kMaxInputSize = 4096;
constexpr uint64_t kMaxMutations = 8;

struct Options {
  uint64_t runs = 100'000;
  uint64_t seed = 1;
  uint64_t first = 0;
};

uint64_t current_seed = 0;
volatile uint64_t current_run = 0;

void PrintReproduction() {
  char line[128];
  const int n = std::snprintf(line, sizeof(line),
                              "fuzz: failed; reproduce with --seed %" PRIu64 " --first %" PRIu64
                              " --runs 1\n",
                              current_seed, current_run);
  if (write(STDERR_FILENO, line, static_cast<size_t>(n)) < 0) return;
}

void OnFatalSignal(int signal_number) {
  PrintReproduction();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void MutateOnce(Rng& rng, const std::vector<Input>& seeds, Input& input) {
  const size_t at = input.empty() ? 0 : rng.Below(input.size());
  switch (rng.Below(6)) {
    case 0:  // flip a bit
      if (!input.empty()) input[at] ^= std::byte{1} << rng.Below(8);
      break;
    case 1:  // a byte at a border of its range, or any
      if (!input.empty()) {
        const uint64_t values[] = {0, 1, 0x7f, 0x80, 0xff, rng.Below(256)};
        input[at] = static_cast<std::byte>(values[rng.Below(6)]);
      }
      break;
    case 2:  // cut the end off
      input.resize(at);
      break;
    case 3: {  // insert random bytes
      const size_t n = rng.Below(16);
      input.insert(input.begin() + static_cast<ptrdiff_t>(at), n, std::byte{0});
      for (size_t i = 0; i < n; ++i) input[at + i] = static_cast<std::byte>(rng.Next());
      break;
    }
    case 4: {  // remove a piece
      const size_t n = std::min<size_t>(rng.Below(32), input.size() - at);
      const auto begin = input.begin() + static_cast<ptrdiff_t>(at);
      input.erase(begin, begin + static_cast<ptrdiff_t>(n));
      break;
    }
    case 5:  // the tail of another seed
      if (!seeds.empty()) {
        const Input& other = seeds[rng.Below(seeds.size())];
        input.resize(at);
        if (at < other.size()) {
          input.insert(input.end(), other.begin() + static_cast<ptrdiff_t>(at), other.end());
        }
      }
      break;
  }
  if (input.size() > kMaxInputSize) input.resize(kMaxInputSize);
}

Input MakeInput(const std::vector<Input>& seeds, uint64_t seed, uint64_t run) {
  SeededRng mixer(run);
  SeededRng rng(seed ^ mixer.Next());
  Input input;
  if (seeds.empty() || rng.Chance(0.1)) {
    input.resize(rng.Below(uint64_t{1} << rng.Below(13)));
    for (std::byte& b : input) b = static_cast<std::byte>(rng.Next());
    return input;
  }
  input = seeds[rng.Below(seeds.size())];
  const uint64_t mutations = rng.Below(kMaxMutations + 1);
  for (uint64_t i = 0; i < mutations; ++i) MutateOnce(rng, seeds, input);
  return input;
}

void RunOne(const Input& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

bool RunFile(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) {
    std::fprintf(stderr, "fuzz: cannot open %s: %s\n", path, std::strerror(errno));
    return false;
  }
  Input input(kMaxInputSize);
  input.resize(std::fread(input.data(), 1, input.size(), file));
  std::fclose(file);
  RunOne(input);
  return true;
}

int Usage(const char* program) {
  std::fprintf(stderr, "usage: %s [--runs N] [--seed S] [--first R] [FILE...]\n", program);
  return 2;
}

int Main(int argc, char** argv) {
  if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(&argc, &argv);
  Options options;
  int files = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (!arg.starts_with("--")) {
      if (!RunFile(argv[i])) return 1;
      ++files;
      continue;
    }
    uint64_t* value = arg == "--runs"    ? &options.runs
                      : arg == "--seed"  ? &options.seed
                      : arg == "--first" ? &options.first
                                         : nullptr;
    if (value == nullptr || i + 1 == argc) return Usage(argv[0]);
    char* end = nullptr;
    *value = std::strtoull(argv[++i], &end, 10);
    if (end == argv[i] || *end != '\0') return Usage(argv[0]);
  }
  if (files > 0) return 0;

  for (const int s : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) signal(s, OnFatalSignal);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(PrintReproduction);
  const auto seeds = FuzzSeeds != nullptr ? FuzzSeeds() : std::vector<Input>();
  current_seed = options.seed;
  for (uint64_t run = options.first; run < options.first + options.runs; ++run) {
    current_run = run;
    RunOne(MakeInput(seeds, options.seed, run));
  }
  std::printf("fuzz: %" PRIu64 " runs of seed %" PRIu64 " without a finding\n", options.runs,
              options.seed);
  return 0;
}

}  // namespace
}  // namespace netchannel::fuzz

int main(int argc, char** argv) { return netchannel::fuzz::Main(argc, argv); }
