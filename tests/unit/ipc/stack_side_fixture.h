// SPDX-License-Identifier: Apache-2.0
//
// A small region and the stack's end of it. Thread: the test's.
#pragma once

#include <gtest/gtest.h>

#include <optional>

#include "ipc/stack_side.h"

namespace netchannel::ipc {

constexpr uint32_t Flags(SlotState state, uint32_t more = 0) {
  return static_cast<uint32_t>(state) | more;
}

class StackSideTest : public testing::Test {
 protected:
  SocketSlot* Shared(uint32_t slot) { return region_.view().slot(slot); }
  uint32_t Connected() {
    const uint32_t slot = *side_.AllocateSlot();
    state_.flags = Flags(SlotState::kConnected);
    side_.Publish(slot, state_);
    return slot;
  }
  // A connected socket, watched in `set` for what `bits` is: SocketSlot::set_readers or
  // set_writers.
  uint32_t Watched(std::atomic<uint64_t> (SocketSlot::*bits)[kSetWords], uint32_t set = 0) {
    const uint32_t slot = Connected();
    Watch(slot, bits, set);
    return slot;
  }
  void Watch(uint32_t slot, std::atomic<uint64_t> (SocketSlot::*bits)[kSetWords], uint32_t set) {
    region_.view().wait_set(set)->owner.store(1);
    (Shared(slot)->*bits)[SetWord(set)].fetch_or(SetBit(set));
    Shared(slot)->set_members[SetWord(set)].fetch_or(SetBit(set));
    Shared(slot)->set_words.fetch_or(1u << SetWord(set));
  }
  std::optional<uint32_t> PopReady(uint32_t set = 0) {
    return WaitSetConsumer(region_.view(), set).Pop();
  }

  static constexpr uint64_t kRingBytes = 4096;

  Region region_ = *Region::Create({.socket_count = 16, .ring_bytes = kRingBytes});
  StackSide side_{region_.view()};
  DoorbellProducer bells_{region_.view()};
  PublishedState state_;
};

}  // namespace netchannel::ipc
