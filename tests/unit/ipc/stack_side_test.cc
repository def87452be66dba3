// SPDX-License-Identifier: Apache-2.0
#include "ipc/stack_side.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <thread>
#include <vector>

#include "ipc/socket_slot.h"
#include "stack_side_fixture.h"

namespace netchannel::ipc {
namespace {

TEST_F(StackSideTest, AHeldCallIsAnsweredWithTheOutcome) {
  const auto state_of = [&](uint32_t call) {
    return static_cast<CallState>(region_.view().call(call)->state.load());
  };
  const SlotState outcomes[] = {SlotState::kConnected, SlotState::kClosed};
  for (uint32_t call = 0; call < 2; ++call) {
    const uint32_t slot = *side_.AllocateSlot();
    state_.flags = Flags(SlotState::kConnecting);
    side_.Publish(slot, state_);
    side_.HoldCall(call, EINPROGRESS, slot);
    EXPECT_EQ(state_of(call), CallState::kHeld);
    state_.acknowledged = 1;
    side_.Publish(slot, state_);
    EXPECT_EQ(state_of(call), CallState::kHeld);
    state_.flags = Flags(outcomes[call]);
    side_.Publish(slot, state_);
    EXPECT_EQ(state_of(call), CallState::kDone);
    EXPECT_EQ(region_.view().call(call)->result_socket, slot);
  }
}

TEST_F(StackSideTest, AHeldCallIsAnsweredWhenItsSocketGoesOrIsConnectedAlready) {
  const auto state_of = [&](uint32_t call) {
    return static_cast<CallState>(region_.view().call(call)->state.load());
  };
  side_.HoldCall(0, EINPROGRESS, Connected());
  EXPECT_EQ(state_of(0), CallState::kDone);
  const uint32_t slot = *side_.AllocateSlot();
  state_.flags = Flags(SlotState::kConnecting);
  side_.Publish(slot, state_);
  side_.HoldCall(1, EINPROGRESS, slot);
  side_.FreeSlot(slot);
  EXPECT_EQ(state_of(1), CallState::kDone);
  EXPECT_EQ(*side_.AllocateSlot(), slot);  // its next life holds nothing
  region_.view().call(1)->state.store(static_cast<uint32_t>(CallState::kHeld));
  side_.Publish(slot, {.flags = Flags(SlotState::kConnected)});
  EXPECT_EQ(state_of(1), CallState::kHeld);
}

TEST_F(StackSideTest, SlotsRunOutAndComeBack) {
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(side_.AllocateSlot());
  EXPECT_FALSE(side_.AllocateSlot());
  side_.FreeSlot(3);
  EXPECT_EQ(side_.AllocateSlot(), 3u);
}

TEST_F(StackSideTest, FreeingTwiceOrOutOfRangeDoesNothing) {
  const uint32_t slot = *side_.AllocateSlot();
  side_.FreeSlot(slot);
  side_.FreeSlot(slot);
  side_.FreeSlot(kNoIndex);
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(side_.AllocateSlot());
  EXPECT_FALSE(side_.AllocateSlot());
}

TEST_F(StackSideTest, AScribbledHeaderIsNoticed) {
  EXPECT_TRUE(side_.IsIntact());
  region_.view().doorbells()->tail.store(1u << 30);
  EXPECT_FALSE(side_.IsIntact());
  region_.view().doorbells()->tail.store(0);
  region_.view().header()->ring_bytes += 1;
  EXPECT_FALSE(side_.IsIntact());
}

TEST_F(StackSideTest, PublishStoresAndMovesTheEvent) {
  const uint32_t slot = Connected();
  const uint32_t event = Shared(slot)->event.load();
  state_.received = 10;
  state_.acknowledged = 20;
  state_.flags |= kFlagPeerFin;
  state_.peer.port = 99;
  side_.Publish(slot, state_);
  EXPECT_EQ(Shared(slot)->received.load(), 10u);
  EXPECT_EQ(Shared(slot)->acknowledged.load(), 20u);
  EXPECT_TRUE(PeerFin(Shared(slot)->flags.load()));
  EXPECT_EQ(LoadAddress(&Shared(slot)->peer).port, 99);
  EXPECT_NE(Shared(slot)->event.load(), event);
}

TEST_F(StackSideTest, PublishingNoChangeDoesNotMoveTheEvent) {
  const uint32_t slot = Connected();
  const uint32_t event = Shared(slot)->event.load();
  side_.Publish(slot, state_);
  EXPECT_EQ(Shared(slot)->event.load(), event);
}

TEST_F(StackSideTest, AStickyErrorIsPublishedOnce) {
  const uint32_t slot = Connected();
  state_.error = ECONNRESET;
  side_.Publish(slot, state_);
  EXPECT_EQ(Shared(slot)->error.exchange(0), static_cast<uint32_t>(ECONNRESET));
  EXPECT_TRUE(side_.ReadPositions(slot).error_taken);
  state_.received = 1;
  side_.Publish(slot, state_);
  EXPECT_EQ(Shared(slot)->error.load(), 0u);
}

TEST_F(StackSideTest, AWatchedSocketIsPushedOnceUntilItIsTakenOut) {
  const uint32_t slot = Watched(&SocketSlot::set_readers);
  state_.received = 1;
  side_.Publish(slot, state_);
  state_.received = 2;
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(), slot);
  EXPECT_EQ(PopReady(), std::nullopt);
  state_.received = 3;
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(), slot);
}

TEST_F(StackSideTest, EverySetOfASocketIsTold) {
  const uint32_t slot = Watched(&SocketSlot::set_readers, 5);
  Watch(slot, &SocketSlot::set_readers, 200);
  state_.received = 1;
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(5), slot);
  EXPECT_EQ(PopReady(200), slot);
}

TEST_F(StackSideTest, AnArrivalIsNoNewsForAWriter) {
  const uint32_t slot = Watched(&SocketSlot::set_writers);
  state_.received = 1;
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(), std::nullopt);
}

TEST_F(StackSideTest, RoomIsNewsOnceWhenTheAwaitedPositionIsReached) {
  const uint32_t slot = Watched(&SocketSlot::set_writers);
  Shared(slot)->room_at.store(1024);
  state_.acknowledged = 1023;
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(), std::nullopt);
  state_.acknowledged = 1030;
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(), slot);
  state_.acknowledged = 2000;
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(), std::nullopt);
}

TEST_F(StackSideTest, RoomIsNoNewsForAReader) {
  const uint32_t slot = Watched(&SocketSlot::set_readers);
  Shared(slot)->room_at.store(10);
  state_.acknowledged = 10;
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(), std::nullopt);
}

TEST_F(StackSideTest, AChangeOfStateIsNewsForEverySet) {
  const uint32_t slot = Watched(&SocketSlot::set_writers);
  state_.error = ETIMEDOUT;
  state_.flags = Flags(SlotState::kClosed);
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(), slot);
}

TEST_F(StackSideTest, AnErrorThatWasTakenIsNoNews) {
  const uint32_t slot = Watched(&SocketSlot::set_readers);
  state_.error = ETIMEDOUT;
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(), slot);
  state_.error = 0;
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(), std::nullopt);
}

TEST_F(StackSideTest, TouchingIsNewsForEverySet) {
  const uint32_t slot = Watched(&SocketSlot::set_writers);
  const uint32_t event = Shared(slot)->event.load();
  side_.Touch(slot);
  EXPECT_EQ(PopReady(), slot);
  EXPECT_NE(Shared(slot)->event.load(), event);
}

TEST_F(StackSideTest, ScribbledBitmapsAreHarmless) {
  const uint32_t slot = Connected();
  Shared(slot)->set_words.store(0xffffffff);
  for (uint32_t word = 0; word < kSetWords; ++word) {
    Shared(slot)->set_members[word].store(~uint64_t{0});
    Shared(slot)->set_readers[word].store(~uint64_t{0});
  }
  state_.received = 1;
  side_.Publish(slot, state_);
  EXPECT_EQ(PopReady(), std::nullopt);
}

TEST_F(StackSideTest, ClearingDirtyThenReadingMissesNoPosition) {
  const uint32_t slot = Connected();
  SocketSlot* shared = Shared(slot);
  constexpr uint64_t kLast = 20000;
  std::thread writer([&] {
    for (uint64_t position = 1; position <= kLast; ++position) {
      shared->written.store(position, std::memory_order_seq_cst);
      if (shared->dirty.load() == 0 && shared->dirty.exchange(1) == 0) bells_.Push(slot);
    }
  });
  uint64_t seen = 0;
  while (seen != kLast) {
    if (!side_.PopDoorbell()) {
      std::this_thread::yield();
      continue;
    }
    side_.ClearDirty(slot);
    seen = side_.ReadPositions(slot).written;
  }
  writer.join();
}

TEST_F(StackSideTest, ADoorbellOfAFreeSlotIsToldAndDoesNotSilenceTheNext) {
  Shared(4)->dirty.store(1);
  bells_.Push(4);
  const auto bell = side_.PopDoorbell();
  ASSERT_TRUE(bell);
  EXPECT_EQ(bell->kind, Doorbell::Kind::kFreeSlot);
  EXPECT_EQ(Shared(4)->dirty.load(), 0u);
}

TEST_F(StackSideTest, ACallOnAFreeSlotIsAnsweredWithEbadf) {
  Call* call = region_.view().call(0);
  call->op = static_cast<uint32_t>(Op::kClose);
  call->socket = 2;
  call->state.store(static_cast<uint32_t>(CallState::kSubmitted));
  EXPECT_FALSE(side_.TakeCall(0));
  EXPECT_EQ(call->error, EBADF);
}

class ListenerTest : public StackSideTest {
 protected:
  void SetUp() override {
    listener_ = *side_.AllocateSlot();
    state_.flags = Flags(SlotState::kListening);
    side_.Publish(listener_, state_);
  }
  uint64_t ring_bytes() const { return region_.view().ring_bytes(); }
  uint32_t listener_ = 0;
};

TEST_F(ListenerTest, AcceptsAreNamedInTheRing) {
  EXPECT_TRUE(side_.PushAccept(listener_, 9));
  EXPECT_EQ(Shared(listener_)->received.load(), kAcceptEntrySize);
  uint32_t socket = 0;
  std::memcpy(&socket, side_.ReceiveRing(listener_).base, sizeof(socket));
  EXPECT_EQ(socket, 9u);
  EXPECT_EQ(side_.AcceptWaiting(listener_), 1u);
}

TEST_F(ListenerTest, PublishDoesNotMoveTheAcceptPosition) {
  side_.PushAccept(listener_, 9);
  state_.local.port = 80;
  side_.Publish(listener_, state_);
  EXPECT_EQ(Shared(listener_)->received.load(), kAcceptEntrySize);
}

TEST_F(ListenerTest, AFullRingTakesNoMore) {
  for (uint32_t i = 0; i < 1024; ++i) EXPECT_TRUE(side_.PushAccept(listener_, i));
  EXPECT_FALSE(side_.PushAccept(listener_, 0));
  Shared(listener_)->consumed.store(kAcceptEntrySize);
  EXPECT_TRUE(side_.PushAccept(listener_, 0));
}

TEST_F(ListenerTest, APositionThatBreaksTheRuleIsAFullQueue) {
  Shared(listener_)->consumed.store(1000);
  EXPECT_FALSE(side_.PushAccept(listener_, 1));
}

TEST_F(ListenerTest, UnacceptedConnectionsComeBackAndForgedOnesDoNot) {
  const uint32_t waiting = *side_.AllocateSlot();
  side_.PushAccept(listener_, waiting);
  side_.PushAccept(listener_, 0xffff);
  EXPECT_EQ(side_.Unaccepted(listener_), std::vector<uint32_t>{waiting});
}

TEST_F(ListenerTest, AForgedPositionNamesNoConnections) {
  side_.PushAccept(listener_, *side_.AllocateSlot());
  Shared(listener_)->consumed.store(1000);
  EXPECT_TRUE(side_.Unaccepted(listener_).empty());
}

// Else each of its listeners would cost a walk over a whole ring that the application has filled.
TEST_F(ListenerTest, APositionBeforeTheFirstPushNamesNoConnections) {
  const uint32_t own = *side_.AllocateSlot();
  std::memcpy(side_.ReceiveRing(listener_).base + ring_bytes() - kAcceptEntrySize, &own,
              sizeof(own));
  Shared(listener_)->consumed.store(uint64_t{0} - kAcceptEntrySize);
  EXPECT_TRUE(side_.Unaccepted(listener_).empty());
}

TEST_F(StackSideTest, ASocketThatDoesNotListenHasNoConnections) {
  const uint32_t slot = Connected();
  Shared(slot)->consumed.store(5);
  EXPECT_TRUE(side_.Unaccepted(slot).empty());
}

TEST_F(StackSideTest, DisconnectClosesEverySocket) {
  const uint32_t slot = Connected();
  side_.Disconnect(ENETDOWN);
  EXPECT_EQ(StateOf(Shared(slot)->flags.load()), SlotState::kClosed);
  EXPECT_NE(Shared(slot)->flags.load() & kFlagDetached, 0u);
  EXPECT_EQ(Shared(slot)->error.load(), static_cast<uint32_t>(ENETDOWN));
  EXPECT_EQ(region_.view().header()->stack_gone.load(), 1u);
}

TEST_F(StackSideTest, BadIndicesDoNothing) {
  side_.Publish(kNoIndex, state_);
  side_.ClearDirty(kNoIndex);
  side_.CompleteCall(kNoIndex, 0);
  EXPECT_EQ(side_.ReadPositions(kNoIndex).written, 0u);
  EXPECT_FALSE(side_.PushAccept(kNoIndex, 0));
  EXPECT_FALSE(side_.TakeCall(kNoIndex));
}

}  // namespace
}  // namespace netchannel::ipc
