// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/tx_pool.h"

#include <gtest/gtest.h>

namespace netchannel::xdp {
namespace {

constexpr uint64_t kBase = 8 * kChunkSize;

TEST(TxPoolTest, GivesEachSlotOnce) {
  TxPool pool(kBase, 2, 1);
  const auto first = pool.Acquire();
  const auto second = pool.Acquire();
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  EXPECT_FALSE(pool.Acquire());
}

TEST(TxPoolTest, SlotCompletedLastIsUsedNext) {
  TxPool pool(kBase, 4, 1);
  const uint32_t first = *pool.Acquire();
  const uint32_t second = *pool.Acquire();
  pool.MarkSubmitted(first, 1);
  pool.MarkSubmitted(second, 1);
  pool.Complete(pool.AddressOf(second));
  pool.Complete(pool.AddressOf(first));
  EXPECT_EQ(*pool.Acquire(), first);
}

TEST(TxPoolTest, SlotIsInFlightUntilAllItsDescriptorsHaveCompleted) {
  TxPool pool(kBase, 2, 3);
  const uint32_t slot = *pool.Acquire();
  pool.MarkSubmitted(slot, 2);
  pool.Complete(pool.AddressOf(slot) + kChunkSize);
  EXPECT_EQ(pool.in_flight(), 1u);
  pool.Complete(pool.AddressOf(slot));
  EXPECT_EQ(pool.in_flight(), 0u);
  EXPECT_EQ(pool.free(), 2u);
}

TEST(TxPoolTest, SlotsDoNotOverlap) {
  TxPool pool(kBase, 3, 2);
  EXPECT_EQ(pool.AddressOf(0), kBase);
  EXPECT_EQ(pool.AddressOf(1), kBase + 2 * kChunkSize);
  EXPECT_EQ(pool.slot_size(), 2 * kChunkSize);
}

TEST(TxPoolTest, OwnsItsChunksAndNoOthers) {
  TxPool pool(kBase, 2, 2);
  EXPECT_FALSE(pool.Owns(kBase - 1));
  EXPECT_TRUE(pool.Owns(kBase));
  EXPECT_TRUE(pool.Owns(kBase + 4 * kChunkSize - 1));
  EXPECT_FALSE(pool.Owns(kBase + 4 * kChunkSize));
}

TEST(TxPoolTest, CompletionOfWhatIsNotInFlightIsCountedAndIgnored) {
  TxPool pool(kBase, 2, 1);
  pool.Complete(kBase);
  EXPECT_EQ(pool.invalid_completions(), 1u);
  EXPECT_EQ(pool.free(), 2u);
}

TEST(TxPoolTest, ResetTakesAllSlotsBack) {
  TxPool pool(kBase, 2, 1);
  pool.MarkSubmitted(*pool.Acquire(), 1);
  (void)pool.Acquire();
  pool.Reset();
  EXPECT_EQ(pool.in_flight(), 0u);
  EXPECT_EQ(pool.free(), 2u);
  pool.Complete(kBase);
  EXPECT_EQ(pool.free(), 2u);
}

}  // namespace
}  // namespace netchannel::xdp
