// SPDX-License-Identifier: Apache-2.0
//
// Which worker a piece of a copy goes to. A policy is one file with one class and one registration:
// a row in copy_policy.cc, or a call of RegisterCopyPolicy from outside. Its memory is the cursor
// that it is handed, one for each pool.
//
// Thread: any number at once; registration before the first pool. Errors: none.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

namespace netchannel {

// Bit i stands for worker i.
using CopyWorkerMask = uint32_t;
inline constexpr uint32_t kMaxCopyWorkers = 16;

struct CopyChoice {
  absl::Span<const uint64_t> backlog;  // bytes that wait at each worker or are being copied
  absl::Span<const int> cores;         // each worker's, in the order of the workers
  CopyWorkerMask with_room = 0;        // workers below the limit of backlog; not 0
  int caller_core = 0;                 // where the program's thread runs
};

using CopyCursor = std::atomic<uint32_t>;  // 0 at first

class CopyPolicy {
 public:
  virtual ~CopyPolicy() = default;
  virtual std::string_view name() const = 0;
  // A worker whose bit is set in `with_room`, or nothing: the caller copies this piece itself.
  virtual std::optional<uint32_t> Choose(const CopyChoice& choice, CopyCursor& cursor) const = 0;
  // Workers stay on a core each, which is what a choice by core needs.
  virtual bool pins_workers() const { return false; }
};

// The first set bit of `mask` at or after `position`, going round. Precondition: mask != 0.
inline uint32_t NextWorker(CopyWorkerMask mask, uint32_t position) {
  const CopyWorkerMask above = mask & (~CopyWorkerMask{0} << (position % 32));
  return static_cast<uint32_t>(std::countr_zero(above != 0 ? above : mask));
}

// A row of the registry. The number is the policy's name in shared memory (ipc/abi.h): 1 to 99 are
// ours, from 100 on they are for policies from outside.
struct CopyPolicyEntry {
  uint32_t number = 0;
  std::string_view name;  // of static lifetime
  std::unique_ptr<CopyPolicy> (*make)() = nullptr;
};
inline constexpr uint32_t kFirstOutsideCopyPolicy = 100;

// False, and nothing changes: the number is not one for policies from outside, or number or name
// are taken.
bool RegisterCopyPolicy(const CopyPolicyEntry& entry);

absl::Span<const CopyPolicyEntry> CopyPolicies();
// nullptr when there is none.
const CopyPolicyEntry* FindCopyPolicy(std::string_view name);
const CopyPolicyEntry* FindCopyPolicy(uint32_t number);

}  // namespace netchannel
