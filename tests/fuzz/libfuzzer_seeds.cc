// SPDX-License-Identifier: Apache-2.0
//
// Gives libFuzzer the target's own seeds, without a corpus directory to carry around: now and then
// a mutation starts from one of them.
#include <algorithm>
#include <cstring>

#include "fuzz_target.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  using netchannel::fuzz::FuzzSeeds;
  using netchannel::fuzz::Input;
  static const std::vector<Input> seeds = FuzzSeeds != nullptr ? FuzzSeeds() : std::vector<Input>();
  constexpr unsigned int kRestartOneIn = 64;
  if (!seeds.empty() && seed % kRestartOneIn == 0) {
    const Input& start = seeds[seed / kRestartOneIn % seeds.size()];
    size = std::min(start.size(), max_size);
    std::memcpy(data, start.data(), size);
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
