// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/policies.h"

namespace netchannel {
namespace {

class PinnedPolicy final : public ChannelPolicy {
 public:
  std::string_view name() const override { return "pinned"; }

  // When channels come or go, flows move: the modulus changes.
  std::optional<uint32_t> Choose(const ChannelChoice& choice, ChannelCursor&) const override {
    ChannelMask mask = choice.candidates;
    const uint32_t count = static_cast<uint32_t>(std::popcount(mask));
    for (uint32_t skip = choice.flow % count; skip > 0; --skip) mask &= mask - 1;
    const uint32_t position = static_cast<uint32_t>(std::countr_zero(mask));
    if ((choice.with_room >> position & 1) == 0) return std::nullopt;
    return position;
  }
};

}  // namespace

std::unique_ptr<ChannelPolicy> MakePinnedPolicy() { return std::make_unique<PinnedPolicy>(); }

}  // namespace netchannel
