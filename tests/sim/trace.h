// SPDX-License-Identifier: Apache-2.0
//
// The trace of a run, as one number: every frame that a link takes in and every outcome of an
// application, with its time, in order. Two runs of one seed have the same hash, or something reads
// what is not seeded.
//
// With NETCHANNEL_SIM_TRACE=1 in the environment each entry is printed too, for `diff`.
// Thread: one.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/types/span.h"
#include "base/units.h"

namespace netchannel::sim {

class Trace {
 public:
  // `what` is a literal; `id` says who.
  void Add(Time now, const char* what, uint64_t id, uint64_t value) {
    Mix(static_cast<uint64_t>(now.nanos()));
    Mix(id);
    Mix(value);
    ++entries_;
    if (print_) {
      std::fprintf(stderr, "%12.6f %-8s %4lu %016lx\n", static_cast<double>(now.nanos()) * 1e-9,
                   what, static_cast<unsigned long>(id), static_cast<unsigned long>(value));
    }
  }
  void AddFrame(Time now, const char* what, uint64_t id, absl::Span<const std::byte> bytes) {
    Add(now, what, id, Digest(bytes));
  }
  uint64_t hash() const { return hash_; }
  uint64_t entries() const { return entries_; }

 private:
  static uint64_t Step(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 32);
  }
  static uint64_t Digest(absl::Span<const std::byte> bytes) {
    uint64_t digest = bytes.size();
    size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
      uint64_t word;
      std::memcpy(&word, bytes.data() + at, 8);
      digest = Step(digest, word);
    }
    uint64_t tail = 0;
    if (at < bytes.size()) std::memcpy(&tail, bytes.data() + at, bytes.size() - at);
    return Step(digest, tail);
  }
  void Mix(uint64_t value) { hash_ = Step(hash_, value); }

  uint64_t hash_ = 0;
  uint64_t entries_ = 0;
  bool print_ = std::getenv("NETCHANNEL_SIM_TRACE") != nullptr;
};

}  // namespace netchannel::sim
