// SPDX-License-Identifier: Apache-2.0
//
// Which channel of its session a flow sends on. A policy is one file with one class and one
// registration: a row in channel_policy.cc, or a call of RegisterChannelPolicy from outside
// (README.md here says how to write one). It keeps no state of its own, so that it can be changed
// while traffic flows: what it must remember between calls is the cursor that it is handed, one for
// each session and class.
//
// Thread: any one at a time; registration before the first stack starts. Errors: none.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "netdriver/session_port.h"

namespace netchannel {

// Bit i stands for position i of a session's channels; a session has at most 8 of each class.
using ChannelMask = uint32_t;
inline constexpr size_t kMaxSchedulableChannels = 32;

struct ChannelChoice {
  uint32_t flow = 0;
  uint16_t source_port = 0;  // of who opened the stream: the same number at both ends
  absl::Span<const ChannelInfo> channels;
  ChannelMask candidates = 0;  // the channels of the flow's class; not 0
  ChannelMask with_room = 0;   // those of them that take at least a byte; not 0
};

// A policy's memory for one session and class; all zero at first and after a change of policy.
struct ChannelCursor {
  uint8_t position = 0;
  uint8_t grants = 0;
};

class ChannelPolicy {
 public:
  virtual ~ChannelPolicy() = default;
  virtual std::string_view name() const = 0;
  // A position whose bit is set in `with_room`, or nullopt: this flow must wait.
  virtual std::optional<uint32_t> Choose(const ChannelChoice& choice,
                                         ChannelCursor& cursor) const = 0;
};

// The first set bit of `mask` at or after `position`, going round. Precondition: mask != 0.
inline uint32_t NextPosition(ChannelMask mask, uint32_t position) {
  const ChannelMask above = mask & (~ChannelMask{0} << (position % kMaxSchedulableChannels));
  return static_cast<uint32_t>(std::countr_zero(above != 0 ? above : mask));
}

// The `n`th set bit of `mask`, from 0. Precondition: it has more than n.
inline uint32_t NthPosition(ChannelMask mask, uint32_t n) {
  for (; n > 0; --n) mask &= mask - 1;
  return static_cast<uint32_t>(std::countr_zero(mask));
}

// A row of the registry. `number` is the policy's name in the BPF map `policy` (bpf/abi.h), and
// never changes its meaning: 1 to 99 are ours, 100 to 65535 are for policies from outside.
struct ChannelPolicyEntry {
  uint16_t number = 0;
  std::string_view name;  // of static lifetime
  std::unique_ptr<ChannelPolicy> (*make)() = nullptr;
};
inline constexpr uint16_t kFirstOutsidePolicy = 100;

// False, and nothing changes: the number is not one for policies from outside, or number or name
// are taken.
bool RegisterChannelPolicy(const ChannelPolicyEntry& entry);

absl::Span<const ChannelPolicyEntry> ChannelPolicies();
// nullptr when there is none.
const ChannelPolicyEntry* FindChannelPolicy(std::string_view name);
const ChannelPolicyEntry* FindChannelPolicy(uint64_t number);

// nullptr when there is no policy of that name.
std::unique_ptr<ChannelPolicy> MakeChannelPolicy(std::string_view name);
// The registry's names, comma-separated, for messages.
std::string ChannelPolicyNames();

}  // namespace netchannel
