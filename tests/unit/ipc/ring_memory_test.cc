// SPDX-License-Identifier: Apache-2.0
//
// The memory of rings: what free slots keep, what is given back and how, what is asked for before
// it is used.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <vector>

#include "ipc/socket_slot.h"
#include "ipc/stack_side.h"
#include "stack_side_fixture.h"

namespace netchannel::ipc {
namespace {

// Blocks of 512 bytes that the region's file has.
int64_t Blocks(const Region& region) {
  struct stat info;
  fstat(region.fd(), &info);
  return info.st_blocks;
}

// A slot whose rings have carried a whole lap.
uint32_t Used(StackSide& side, const Region& region) {
  const uint64_t bytes = side.ring_bytes();
  const uint32_t slot = *side.AllocateSlot();
  std::memset(side.SendRing(slot).base, 1, bytes);
  std::memset(side.ReceiveRing(slot).base, 1, bytes);
  region.view().slot(slot)->written.store(bytes);
  PublishedState state;
  state.flags = Flags(SlotState::kConnected);
  state.received = bytes;
  side.Publish(slot, state);
  return slot;
}

void ReleaseAllExcess(StackSide& side) {
  while (side.HasExcess()) ASSERT_GT(side.ReleaseExcess(1024 * 1024), 0u);
}

TEST_F(StackSideTest, FreedSlotsKeepSomeMemoryAndNoMore) {
  Region region = *Region::Create({16, 1024 * 1024});
  StackSide side(region.view());
  std::vector<uint32_t> slots;
  for (int i = 0; i < 6; ++i) slots.push_back(*side.AllocateSlot());
  for (const uint32_t slot : slots) side.FreeSlot(slot);
  slots.clear();
  const int64_t before = Blocks(region);  // with what describes the slots
  for (int i = 0; i < 6; ++i) slots.push_back(Used(side, region));
  constexpr int64_t kBlocksOfASlot = 2 * 1024 * 2;
  EXPECT_EQ(Blocks(region) - before, 6 * kBlocksOfASlot);
  for (const uint32_t slot : slots) side.FreeSlot(slot);
  ReleaseAllExcess(side);
  EXPECT_EQ(Blocks(region) - before, 4 * kBlocksOfASlot);  // 8 MiB
  EXPECT_EQ(side.slots_in_use(), 0u);
  // Those that keep memory are used first, however many others have come and gone.
  for (int i = 0; i < 4; ++i) slots[static_cast<size_t>(i)] = Used(side, region);
  EXPECT_EQ(Blocks(region) - before, 4 * kBlocksOfASlot);
  EXPECT_EQ(side.slots_in_use(), 4u);
  for (int i = 0; i < 4; ++i) side.FreeSlot(slots[static_cast<size_t>(i)]);
  // A short life gives no memory back, so it counts on.
  for (int i = 0; i < 4; ++i) slots[static_cast<size_t>(i)] = *side.AllocateSlot();
  for (int i = 0; i < 4; ++i) side.FreeSlot(slots[static_cast<size_t>(i)]);
  slots.clear();
  for (int i = 0; i < 6; ++i) slots.push_back(Used(side, region));
  for (const uint32_t slot : slots) side.FreeSlot(slot);
  ReleaseAllExcess(side);
  EXPECT_EQ(Blocks(region) - before, 4 * kBlocksOfASlot);
}

TEST_F(StackSideTest, ManySocketsThatEndTogetherGiveMemoryBackInPieces) {
  Region region = *Region::Create({16, 4 * 1024 * 1024});
  StackSide side(region.view());
  std::vector<uint32_t> slots;
  for (int i = 0; i < 4; ++i) slots.push_back(Used(side, region));
  const int64_t used = Blocks(region);
  for (const uint32_t slot : slots) side.FreeSlot(slot);
  EXPECT_EQ(Blocks(region), used) << "the end of sockets costs nothing";
  // Of one ring, too, a piece at a time.
  constexpr ByteCount kPiece = 256 * 1024;
  for (int64_t pieces = 1; side.HasExcess(); ++pieces) {
    ASSERT_EQ(side.ReleaseExcess(kPiece), kPiece);
    ASSERT_EQ(used - Blocks(region), pieces * 2 * 256);
  }
  EXPECT_EQ(used - Blocks(region), 24 * 1024 * 2);
  EXPECT_EQ(side.ReleaseExcess(kPiece), 0u);
}

TEST_F(StackSideTest, SmallRingsAreCountedAsTheCallsThatTheyCost) {
  Region region = *Region::Create({16, 4096});
  StackSide side(region.view());
  side.SetFrugal(true);
  std::vector<uint32_t> slots;
  for (int i = 0; i < 4; ++i) slots.push_back(Used(side, region));
  const int64_t used = Blocks(region);
  for (const uint32_t slot : slots) side.FreeSlot(slot);
  EXPECT_EQ(side.ReleaseExcess(3 * StackSide::kCallBytes), 3 * StackSide::kCallBytes);
  EXPECT_EQ(used - Blocks(region), 3 * 8);
  EXPECT_EQ(side.ReleaseExcess(StackSide::kCallBytes - 1), 0u);
}

// A socket that begins with what is left of a ring touches the rest as any other.
TEST_F(StackSideTest, ASlotOfWhichSomeWasGivenBackIsUsedLikeAnyOther) {
  constexpr uint64_t kBytes = 1024 * 1024;
  Region region = *Region::Create({1, kBytes});
  StackSide side(region.view());
  side.FreeSlot(Used(side, region));
  side.SetFrugal(true);
  ASSERT_EQ(side.ReleaseExcess(kBytes + kBytes / 2), kBytes + kBytes / 2);
  const int64_t before = Blocks(region);
  const uint32_t slot = *side.AllocateSlot();
  side.SetFrugal(false);
  state_.flags = Flags(SlotState::kConnected);
  state_.received = kBytes / 2;
  side.Publish(slot, state_);
  EXPECT_EQ(Blocks(region) - before, 2 * 32) << "asked for ahead, behind what is there";
  side.FreeSlot(slot);
  EXPECT_FALSE(side.HasExcess());
}

// A byte has a page to itself.
TEST_F(StackSideTest, FreedSlotsOfShortStreamsKeepNoMore) {
  constexpr uint32_t kSlots = 1100;
  constexpr int64_t kMostKept = 8 * 1024 * 2;  // blocks
  Region region = *Region::Create({2048, 16 * 1024});
  StackSide side(region.view());
  for (uint32_t i = 0; i < kSlots; ++i) side.AllocateSlot();
  const int64_t before = Blocks(region);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    side.SendRing(slot).base[0] = side.ReceiveRing(slot).base[0] = std::byte{1};
    region.view().slot(slot)->written.store(1);
    PublishedState state;
    state.flags = Flags(SlotState::kConnected);
    state.received = 1;
    side.Publish(slot, state);
  }
  EXPECT_GT(Blocks(region) - before, kMostKept);
  for (uint32_t slot = 0; slot < kSlots; ++slot) side.FreeSlot(slot);
  ReleaseAllExcess(side);
  EXPECT_EQ(Blocks(region) - before, kMostKept);
}

TEST_F(StackSideTest, WhatFreeSlotsKeepIsGivenBackWhenAsked) {
  Region region = *Region::Create({16, 1024 * 1024});
  StackSide side(region.view());
  std::vector<uint32_t> slots;
  for (int i = 0; i < 4; ++i) slots.push_back(*side.AllocateSlot());
  for (const uint32_t slot : slots) side.FreeSlot(slot);
  const int64_t before = Blocks(region);
  for (int i = 0; i < 3; ++i) slots[static_cast<size_t>(i)] = Used(side, region);
  side.FreeSlot(slots[0]);
  side.FreeSlot(slots[1]);
  constexpr int64_t kBlocksOfASlot = 2 * 1024 * 2;
  EXPECT_EQ(Blocks(region) - before, 3 * kBlocksOfASlot);
  side.SetFrugal(true);
  ReleaseAllExcess(side);
  EXPECT_EQ(Blocks(region) - before, kBlocksOfASlot) << "but those in use";
  EXPECT_EQ(side.slots_in_use(), 1u);
  for (int i = 0; i < 15; ++i) EXPECT_TRUE(side.AllocateSlot().has_value());
  EXPECT_FALSE(side.AllocateSlot().has_value()) << "none is there twice";
}

TEST_F(StackSideTest, PreparedSlotsHaveTheirMemory) {
  Region region = *Region::Create({16, 512 * 1024});
  StackSide side(region.view());
  const int64_t before = Blocks(region);
  side.PrepareSlots(2 * 1024 * 1024 + 1);
  EXPECT_EQ(Blocks(region) - before, 2 * 2 * 1024);
  EXPECT_EQ(side.slots_in_use(), 0u);
  side.AllocateSlot();
  side.AllocateSlot();
  side.AllocateSlot();
  EXPECT_EQ(side.slots_in_use(), 3u);
}

TEST_F(StackSideTest, ALongStreamsPagesAreThereBeforeItsBytes) {
  constexpr uint64_t kBytes = 512 * 1024;
  Region region = *Region::Create({16, kBytes});
  StackSide side(region.view());
  const uint32_t slot = *side.AllocateSlot();
  const int64_t before = Blocks(region);
  state_.received = 16 * 1024;
  side.Publish(slot, state_);
  EXPECT_EQ(Blocks(region), before);
  // From 16 to 32 KiB.
  state_.received = 17 * 1024;
  side.Publish(slot, state_);
  EXPECT_EQ(Blocks(region) - before, 32);
  region.view().slot(slot)->written.store(33 * 1024);
  side.ReadPositions(slot);
  EXPECT_EQ(Blocks(region) - before, 32);  // it is not said to be connected
  state_.flags = Flags(SlotState::kConnected);
  side.Publish(slot, state_);
  side.ReadPositions(slot);
  EXPECT_EQ(Blocks(region) - before, 32 + 2 * 20);
}

// An application that says it has written a whole ring, and has not.
TEST_F(StackSideTest, AWrittenPositionThatIsALieCostsLittleMemoryATime) {
  constexpr uint64_t kBytes = 512 * 1024;
  Region region = *Region::Create({16, kBytes});
  StackSide side(region.view());
  const uint32_t slot = *side.AllocateSlot();
  const int64_t before = Blocks(region);
  region.view().slot(slot)->written.store(~uint64_t{0});
  side.ReadPositions(slot);
  EXPECT_EQ(Blocks(region), before);
  state_.flags = Flags(SlotState::kConnected);
  side.Publish(slot, state_);
  side.ReadPositions(slot);
  EXPECT_LE(Blocks(region) - before, 2 * 32);
}

TEST_F(StackSideTest, AShortConnectionsMemoryIsUsedAgain) {
  const uint32_t slot = *side_.AllocateSlot();
  side_.SendRing(slot).base[0] = std::byte{1};
  Shared(slot)->written.store(1);
  const int64_t used = Blocks(region_);
  side_.FreeSlot(slot);
  EXPECT_EQ(Blocks(region_), used);
  EXPECT_EQ(side_.AllocateSlot(), slot);
}

}  // namespace
}  // namespace netchannel::ipc
