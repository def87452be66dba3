// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/channel_policy.h"

#include "netscheduler/policies.h"

namespace netchannel {
namespace {

struct Registration {
  std::string_view name;
  std::unique_ptr<ChannelPolicy> (*make)();
};

// A table and not self-registration: a linker drops unreferenced objects of a static library.
constexpr Registration kPolicies[] = {
    {"round-robin", MakeRoundRobinPolicy},
    {"least-backlog", MakeLeastBacklogPolicy},
    {"pinned", MakePinnedPolicy},
};

}  // namespace

std::unique_ptr<ChannelPolicy> MakeChannelPolicy(std::string_view name) {
  for (const Registration& policy : kPolicies) {
    if (policy.name == name) return policy.make();
  }
  return nullptr;
}

std::string ChannelPolicyNames() {
  std::string names;
  for (const Registration& policy : kPolicies) {
    if (!names.empty()) names += ", ";
    names += policy.name;
  }
  return names;
}

}  // namespace netchannel
