// SPDX-License-Identifier: Apache-2.0
//
// Whom the stack wakes, and when: writers, readers, and readers that it lets wait (patience).
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

#include "ipc/futex.h"
#include "ipc/socket_slot.h"
#include "stack_side_fixture.h"

namespace netchannel::ipc {
namespace {

TEST_F(StackSideTest, AWriterAsleepIsLeftAloneUntilThereIsRoom) {
  const uint32_t slot = Connected();
  Shared(slot)->waiters.store(kWriteWaiter);
  Shared(slot)->room_at.store(100);
  state_.acknowledged = 50;
  state_.received = 1;
  side_.Publish(slot, state_);
  EXPECT_EQ(Shared(slot)->waiters.load(), kWriteWaiter);
  state_.acknowledged = 100;
  side_.Publish(slot, state_);
  EXPECT_EQ(Shared(slot)->waiters.load(), 0u);
}

TEST_F(StackSideTest, APatientReaderIsLeftAloneUntilThereIsEnoughForIt) {
  const uint32_t slot = Connected();
  Shared(slot)->waiters.store(kReadWaiter);
  state_.received = kRingBytes / 4 - 1;
  EXPECT_TRUE(side_.Publish(slot, state_, /*patient=*/true));
  EXPECT_EQ(Shared(slot)->received.load(), state_.received);  // who looks finds it
  EXPECT_EQ(Shared(slot)->waiters.load(), kReadWaiter);
  ++state_.received;
  side_.Publish(slot, state_, /*patient=*/true);
  EXPECT_EQ(Shared(slot)->waiters.load(), 0u);
}

TEST_F(StackSideTest, APatientReaderIsWokenOnceWhenAsked) {
  const uint32_t slot = Watched(&SocketSlot::set_readers);
  Shared(slot)->waiters.store(kReadWaiter);
  state_.received = 1;
  EXPECT_TRUE(side_.Publish(slot, state_, /*patient=*/true));
  EXPECT_EQ(PopReady(), std::nullopt);
  side_.WakeReaders();
  EXPECT_EQ(Shared(slot)->waiters.load(), 0u);
  EXPECT_EQ(PopReady(), slot);
  const uint32_t event = Shared(slot)->event.load();
  side_.WakeReaders();
  EXPECT_EQ(Shared(slot)->event.load(), event);
  EXPECT_FALSE(side_.Publish(slot, state_, /*patient=*/true));
}

TEST_F(StackSideTest, PatienceEndsWithTheStream) {
  const uint32_t slot = Connected();
  Shared(slot)->waiters.store(kReadWaiter);
  state_.received = 1;
  side_.Publish(slot, state_, /*patient=*/true);
  state_.flags |= kFlagPeerFin;
  side_.Publish(slot, state_, /*patient=*/true);
  EXPECT_EQ(Shared(slot)->waiters.load(), 0u);
}

TEST_F(StackSideTest, AWriterIsNotLetWaitForAReadersPatience) {
  const uint32_t slot = Connected();
  Shared(slot)->waiters.store(kReadWaiter | kWriteWaiter);
  state_.received = state_.acknowledged = 1;
  side_.Publish(slot, state_, /*patient=*/true);
  EXPECT_EQ(Shared(slot)->waiters.load(), 0u);
}

TEST_F(StackSideTest, AFreedSlotIsOwedNothing) {
  const uint32_t slot = Connected();
  state_.received = 1;
  side_.Publish(slot, state_, /*patient=*/true);
  side_.FreeSlot(slot);
  side_.WakeReaders();
  state_ = {};
  ASSERT_EQ(Connected(), slot);
  Shared(slot)->waiters.store(kReadWaiter);
  state_.received = 1;
  side_.Publish(slot, state_, /*patient=*/true);
  side_.WakeReaders();
  EXPECT_EQ(Shared(slot)->waiters.load(), 0u);
}

// A wake-up for what has been read already clears the bit of a reader that is about to sleep for
// what comes next; `event` moves for each bit that is cleared, and for none that is not.
TEST_F(StackSideTest, AWaiterThatSleepsCanBeWoken) {
  const uint32_t slot = Connected();
  SocketSlot* shared = Shared(slot);
  std::atomic<bool> done{false};
  std::thread stack([&] {
    while (!done) {
      if (shared->waiters.load() != 0) side_.Touch(slot);
    }
  });
  int overslept = 0;
  for (int sleep = 0; sleep < 100'000 && overslept == 0; ++sleep) {
    const std::optional<uint32_t> event = AnnounceWaiter(shared, kReadWaiter);
    if (!event) continue;
    const Time patience = MonotonicNow() + Duration::Seconds(5);
    while (shared->event.load() == *event && overslept == 0) {
      if (MonotonicNow() >= patience) ++overslept;
      std::this_thread::yield();
    }
  }
  done = true;
  stack.join();
  EXPECT_EQ(overslept, 0);
}

TEST_F(StackSideTest, AReaderAsleepIsWoken) {
  const uint32_t slot = Connected();
  SocketSlot* shared = Shared(slot);
  std::thread reader([&] {
    for (;;) {
      shared->waiters.fetch_or(kReadWaiter);
      const uint32_t event = shared->event.load();
      if (shared->received.load() != 0) break;
      FutexWait(shared->event, event, Time::Infinite(), FutexScope::kShared);
    }
  });
  while (shared->waiters.load() == 0) std::this_thread::yield();
  state_.received = 1;
  side_.Publish(slot, state_);
  reader.join();
}

}  // namespace
}  // namespace netchannel::ipc
