// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/core_placement.h"

#include <algorithm>
#include <tuple>

namespace netchannel {

std::vector<uint32_t> PlaceThreads(absl::Span<const Core> cores, uint32_t count, int32_t nic_node) {
  std::vector<Core> order(cores.begin(), cores.end());
  std::sort(order.begin(), order.end(), [nic_node](const Core& a, const Core& b) {
    const auto rank = [nic_node](const Core& core) {
      return std::make_tuple(nic_node >= 0 && core.node != nic_node, core.interrupts, core.cpu);
    };
    return rank(a) < rank(b);
  });
  std::vector<Core> chosen;  // the best hardware thread of each physical core
  for (const Core& core : order) {
    const bool taken = std::any_of(chosen.begin(), chosen.end(), [&core](const Core& other) {
      return other.package == core.package && other.core == core.core;
    });
    if (!taken) chosen.push_back(core);
  }
  if (count == 0 || chosen.size() < size_t{count} + 1) return {};
  std::vector<uint32_t> cpus;
  for (uint32_t i = 0; i < count; ++i) cpus.push_back(chosen[i].cpu);
  return cpus;
}

}  // namespace netchannel
