// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/copy/copy_policy.h"

#include "netscheduler/copy/copy_policies.h"

namespace netchannel {
namespace {

// A table, since a linker drops what registers itself in a static library.
std::vector<CopyPolicyEntry>& Table() {
  static std::vector<CopyPolicyEntry>* const table = new std::vector<CopyPolicyEntry>{
      {1, "round-robin", MakeRoundRobinCopyPolicy},
      {2, "least-loaded", MakeLeastLoadedCopyPolicy},
      {3, "same-core", MakeSameCoreCopyPolicy},
  };
  return *table;
}

}  // namespace

absl::Span<const CopyPolicyEntry> CopyPolicies() { return Table(); }

const CopyPolicyEntry* FindCopyPolicy(std::string_view name) {
  for (const CopyPolicyEntry& entry : Table()) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

const CopyPolicyEntry* FindCopyPolicy(uint32_t number) {
  for (const CopyPolicyEntry& entry : Table()) {
    if (entry.number == number) return &entry;
  }
  return nullptr;
}

bool RegisterCopyPolicy(const CopyPolicyEntry& entry) {
  if (entry.number < kFirstOutsideCopyPolicy || entry.name.empty() || entry.make == nullptr) {
    return false;
  }
  if (FindCopyPolicy(entry.name) != nullptr || FindCopyPolicy(entry.number) != nullptr) {
    return false;
  }
  Table().push_back(entry);
  return true;
}

}  // namespace netchannel
