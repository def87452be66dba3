// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/policies.h"

namespace netchannel {
namespace {

class PinnedPolicy final : public ChannelPolicy {
 public:
  std::string_view name() const override { return "pinned"; }

  // When channels come or go, flows move: the modulus changes.
  std::optional<uint32_t> Choose(const ChannelChoice& choice, ChannelCursor&) const override {
    const auto count = static_cast<uint32_t>(std::popcount(choice.candidates));
    const uint32_t position = NthPosition(choice.candidates, choice.flow % count);
    if ((choice.with_room >> position & 1) == 0) return std::nullopt;
    return position;
  }
};

}  // namespace

std::unique_ptr<ChannelPolicy> MakePinnedPolicy() { return std::make_unique<PinnedPolicy>(); }

}  // namespace netchannel
