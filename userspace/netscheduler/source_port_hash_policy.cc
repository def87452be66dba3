// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/policies.h"

namespace netchannel {
namespace {

// 2^32 divided by the golden ratio (Knuth, The Art of Computer Programming 3, 6.4): ports that a
// program takes one after another, or in steps, spread evenly.
constexpr uint32_t kMultiplier = 2654435769;

class SourcePortHashPolicy final : public ChannelPolicy {
 public:
  std::string_view name() const override { return "source-port-hash"; }

  std::optional<uint32_t> Choose(const ChannelChoice& choice, ChannelCursor&) const override {
    const auto count = static_cast<uint32_t>(std::popcount(choice.candidates));
    const uint32_t hash = choice.source_port * kMultiplier;
    const auto own = static_cast<uint32_t>(uint64_t{hash} * count >> 32);
    return NextPosition(choice.with_room, NthPosition(choice.candidates, own));
  }
};

}  // namespace

std::unique_ptr<ChannelPolicy> MakeSourcePortHashPolicy() {
  return std::make_unique<SourcePortHashPolicy>();
}

}  // namespace netchannel
