// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/policies.h"

namespace netchannel {
namespace {

class LeastBacklogPolicy final : public ChannelPolicy {
 public:
  std::string_view name() const override { return "least-backlog"; }

  // Among equals the one after the last chosen, so that empty channels are used in turn.
  std::optional<uint32_t> Choose(const ChannelChoice& choice,
                                 ChannelCursor& cursor) const override {
    uint32_t best = NextPosition(choice.with_room, cursor.position);
    uint32_t position = best;
    for (int left = std::popcount(choice.with_room) - 1; left > 0; --left) {
      position = NextPosition(choice.with_room, position + 1);
      if (choice.channels[position].backlog < choice.channels[best].backlog) best = position;
    }
    cursor.position = static_cast<uint8_t>(best + 1);
    return best;
  }
};

}  // namespace

std::unique_ptr<ChannelPolicy> MakeLeastBacklogPolicy() {
  return std::make_unique<LeastBacklogPolicy>();
}

}  // namespace netchannel
