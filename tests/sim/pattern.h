// SPDX-License-Identifier: Apache-2.0
//
// The bytes of one direction of a test's stream: a function of (seed, offset), so that the receiver
// knows what every byte must be without having seen the sender. Bytes that are lost, doubled,
// swapped with another stream's or changed do not match. Thread: values.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/types/span.h"
#include "base/units.h"

namespace netchannel::sim {

class Pattern {
 public:
  explicit Pattern(uint64_t seed) : seed_(seed) {}

  void Fill(StreamOffset offset, absl::Span<std::byte> out) const {
    ForEachRun(offset, out.size(), [&](size_t at, absl::Span<const std::byte> expected) {
      std::memcpy(out.data() + at, expected.data(), expected.size());
      return true;
    });
  }
  // True when `bytes` are those at `offset`.
  bool Matches(StreamOffset offset, absl::Span<const std::byte> bytes) const {
    return ForEachRun(offset, bytes.size(), [&](size_t at, absl::Span<const std::byte> expected) {
      return std::memcmp(bytes.data() + at, expected.data(), expected.size()) == 0;
    });
  }

 private:
  static constexpr size_t kWord = 8;

  uint64_t Word(uint64_t index) const {  // SplitMix64's mixing function
    uint64_t z = seed_ + (index + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  // Calls `use` with each word, or part of one, until it returns false.
  template <typename Use>
  bool ForEachRun(StreamOffset offset, size_t length, Use use) const {
    for (size_t at = 0; at < length;) {
      const uint64_t word = Word((offset + at) / kWord);
      std::array<std::byte, kWord> bytes;
      std::memcpy(bytes.data(), &word, kWord);
      const size_t skip = (offset + at) % kWord;
      const size_t run = std::min(kWord - skip, length - at);
      if (!use(at, absl::MakeConstSpan(bytes).subspan(skip, run))) return false;
      at += run;
    }
    return true;
  }

  uint64_t seed_;
};

}  // namespace netchannel::sim
