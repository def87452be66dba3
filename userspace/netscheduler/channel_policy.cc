// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/channel_policy.h"

#include <algorithm>
#include <vector>

#include "netscheduler/policies.h"

namespace netchannel {
namespace {

// A table and not self-registration: a linker drops unreferenced objects of a static library.
std::vector<ChannelPolicyEntry>& Registry() {
  static std::vector<ChannelPolicyEntry>* const entries = new std::vector<ChannelPolicyEntry>{
      {1, "round-robin", MakeRoundRobinPolicy},
      {2, "least-backlog", MakeLeastBacklogPolicy},
      {3, "source-port-hash", MakeSourcePortHashPolicy},
      {4, "pinned", MakePinnedPolicy},
  };
  return *entries;
}

template <typename Predicate>
const ChannelPolicyEntry* FindIf(Predicate matches) {
  const auto& entries = Registry();
  const auto found = std::find_if(entries.begin(), entries.end(), matches);
  return found != entries.end() ? &*found : nullptr;
}

}  // namespace

bool RegisterChannelPolicy(const ChannelPolicyEntry& entry) {
  const bool usable =
      entry.number >= kFirstOutsidePolicy && !entry.name.empty() && entry.make != nullptr;
  if (!usable || FindChannelPolicy(entry.name) != nullptr ||
      FindChannelPolicy(uint64_t{entry.number}) != nullptr) {
    return false;
  }
  Registry().push_back(entry);
  return true;
}

absl::Span<const ChannelPolicyEntry> ChannelPolicies() { return Registry(); }

const ChannelPolicyEntry* FindChannelPolicy(std::string_view name) {
  return FindIf([name](const ChannelPolicyEntry& entry) { return entry.name == name; });
}

const ChannelPolicyEntry* FindChannelPolicy(uint64_t number) {
  return FindIf([number](const ChannelPolicyEntry& entry) { return entry.number == number; });
}

std::unique_ptr<ChannelPolicy> MakeChannelPolicy(std::string_view name) {
  const ChannelPolicyEntry* entry = FindChannelPolicy(name);
  return entry != nullptr ? entry->make() : nullptr;
}

std::string ChannelPolicyNames() {
  std::string names;
  for (const ChannelPolicyEntry& policy : ChannelPolicies()) {
    if (!names.empty()) names += ", ";
    names += policy.name;
  }
  return names;
}

}  // namespace netchannel
