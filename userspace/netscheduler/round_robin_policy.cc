// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/policies.h"

namespace netchannel {
namespace {

// The paper's value: enough in a row that segments of one flow share packets, few enough that
// channels fill evenly.
constexpr uint8_t kBurst = 6;

class RoundRobinPolicy final : public ChannelPolicy {
 public:
  std::string_view name() const override { return "round-robin"; }

  std::optional<uint32_t> Choose(const ChannelChoice& choice,
                                 ChannelCursor& cursor) const override {
    if (cursor.grants == kBurst) {
      cursor.position += 1;
      cursor.grants = 0;
    }
    const uint32_t position = NextPosition(choice.with_room, cursor.position);
    if (position != cursor.position) {
      cursor.position = static_cast<uint8_t>(position);
      cursor.grants = 0;
    }
    cursor.grants += 1;
    return position;
  }
};

}  // namespace

std::unique_ptr<ChannelPolicy> MakeRoundRobinPolicy() {
  return std::make_unique<RoundRobinPolicy>();
}

}  // namespace netchannel
