// SPDX-License-Identifier: Apache-2.0
//
// Unguessable randomness from the kernel (getrandom(2)), bought in blocks because a call costs a
// syscall. Thread: one at a time. Errors: none after the first block; a kernel without getrandom
// has no AF_XDP either.
#pragma once

#include <sys/random.h>

#include <array>
#include <cstdlib>

#include "base/rng.h"

namespace netchannel {

class KernelRng final : public Rng {
 public:
  uint64_t Next() override {
    if (used_ == block_.size()) Refill();
    return block_[used_++];
  }

 private:
  void Refill() {
    // 256 bytes are never interrupted or cut short (getrandom(2)).
    if (getrandom(block_.data(), sizeof(block_), 0) != static_cast<ssize_t>(sizeof(block_))) {
      std::abort();
    }
    used_ = 0;
  }

  std::array<uint64_t, 32> block_{};
  size_t used_ = 32;
};

}  // namespace netchannel
