// SPDX-License-Identifier: Apache-2.0
//
// What a fuzz target provides, and what runs it. A target is one .cc file in this folder, listed in
// meson.build, which defines LLVMFuzzerTestOneInput and, if random bytes rarely get deep,
// FuzzSeeds. One that has to look at the arguments first defines LLVMFuzzerInitialize.
//
// With clang it is a libFuzzer program (libfuzzer_seeds.cc brings the seeds in); with other
// compilers standalone_main.cc feeds it random and mutated inputs, the same ones for the same seed.
// Either runs for seconds in the test command and takes more by argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/types/span.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace netchannel::fuzz {

using Input = std::vector<std::byte>;

// Inputs that the target accepts, to be mutated. Optional: weak.
__attribute__((weak)) std::vector<Input> FuzzSeeds();

inline absl::Span<const std::byte> AsBytes(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}

// A property that must hold for every input.
inline void Require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property does not hold: %s\n", property);
  std::abort();
}

}  // namespace netchannel::fuzz
