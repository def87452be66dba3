// SPDX-License-Identifier: Apache-2.0
//
// Randomness as an argument. Tokens, cookies' keys and the first ports of a host come from an Rng;
// the stack passes one seeded from the kernel (stack/), tests one seeded from a number. Thread: one
// at a time. Errors: none.
#pragma once

#include <cstdint>

namespace netchannel {

class Rng {
 public:
  virtual ~Rng() = default;
  virtual uint64_t Next() = 0;
  // Uniform in [0, bound). Precondition: bound > 0.
  uint64_t Below(uint64_t bound) {
    __extension__ using Wide = unsigned __int128;  // not ISO C++, which -Wpedantic would refuse
    return static_cast<uint64_t>((static_cast<Wide>(Next()) * bound) >> 64);
  }
  // True with probability `p`.
  bool Chance(double p) { return static_cast<double>(Next() >> 11) * 0x1.0p-53 < p; }
};

// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): reproducible, not unguessable. Tests and simulation
// only.
class SeededRng final : public Rng {
 public:
  explicit SeededRng(uint64_t seed) : state_(seed) {}
  uint64_t Next() override {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

}  // namespace netchannel
