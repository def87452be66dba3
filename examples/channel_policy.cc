// SPDX-License-Identifier: Apache-2.0
//
// A channel policy of one's own: "two-choices" looks at two random channels and takes the one with
// less waiting (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing"). The class
// and its registration are all that it takes; from then on its name is as good as ours, in
// scheduler.policy of the configuration and in `netchannel steer policy`.
//
// The program then lets each policy place 100,000 grants of 1 or 64 KB on four channels, of which
// one drains at half the speed, and prints the longest queue that came of it.
//
// usage: channel_policy
#include "netscheduler/channel_policy.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace {

using netchannel::ChannelChoice;
using netchannel::ChannelCursor;
using netchannel::ChannelInfo;
using netchannel::NthPosition;

class TwoChoicesPolicy final : public netchannel::ChannelPolicy {
 public:
  std::string_view name() const override { return "two-choices"; }

  std::optional<uint32_t> Choose(const ChannelChoice& choice,
                                 ChannelCursor& cursor) const override {
    const auto count = static_cast<uint32_t>(std::popcount(choice.with_room));
    const uint32_t one = NthPosition(choice.with_room, Random(cursor) % count);
    const uint32_t other = NthPosition(choice.with_room, Random(cursor) % count);
    return choice.channels[one].backlog <= choice.channels[other].backlog ? one : other;
  }

 private:
  // Policies keep no state, so it is in the cursor: Marsaglia's xorshift with 16 bits (7, 9, 8).
  static uint32_t Random(ChannelCursor& cursor) {
    auto state = static_cast<uint16_t>(cursor.position | cursor.grants << 8);
    if (state == 0) state = 1;
    state = static_cast<uint16_t>(state ^ state << 7);
    state = static_cast<uint16_t>(state ^ state >> 9);
    state = static_cast<uint16_t>(state ^ state << 8);
    cursor.position = static_cast<uint8_t>(state);
    cursor.grants = static_cast<uint8_t>(state >> 8);
    return state;
  }
};

std::unique_ptr<netchannel::ChannelPolicy> MakeTwoChoices() {
  return std::make_unique<TwoChoicesPolicy>();
}

uint64_t LongestQueue(const netchannel::ChannelPolicy& policy) {
  std::array<ChannelInfo, 4> channels{};
  ChannelCursor cursor;
  uint64_t longest = 0;
  for (uint32_t i = 0; i < 100'000; ++i) {
    const ChannelChoice choice{i % 8, static_cast<uint16_t>(40000 + i % 8), channels, 0b1111,
                               0b1111};
    ChannelInfo& chosen = channels[policy.Choose(choice, cursor).value()];
    chosen.backlog += i % 16 == 0 ? 64'000 : 1'000;
    longest = std::max<uint64_t>(longest, chosen.backlog);
    for (ChannelInfo& channel : channels) {
      const uint64_t drained = &channel == &channels[3] ? 800 : 1'600;
      channel.backlog -= std::min<uint64_t>(channel.backlog, drained);
    }
  }
  return longest;
}

}  // namespace

int main() {
  if (!netchannel::RegisterChannelPolicy({100, "two-choices", MakeTwoChoices})) return 1;
  for (const auto& entry : netchannel::ChannelPolicies()) {
    const auto policy = netchannel::MakeChannelPolicy(entry.name);
    std::printf("%-18s longest queue %8.0f KB\n", std::string(entry.name).c_str(),
                static_cast<double>(LongestQueue(*policy)) / 1000);
  }
  return 0;
}
