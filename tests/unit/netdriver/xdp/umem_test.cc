// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/umem.h"

#include <gtest/gtest.h>

#include <bit>

#include "netdriver/device.h"

namespace netchannel::xdp {
namespace {

UmemDemand Demand(uint32_t mtu) {
  return {.queues = 2,
          .lanes = 4,
          .max_lanes_per_queue = 2,
          .rx_ring = 1024,
          .tx_ring = 512,
          .mtu = mtu};
}

TEST(UmemBudgetTest, FrameOfTheMtuFitsIntoATransmitSlot) {
  for (const uint32_t mtu : {1500u, 4074u, 4075u, 9000u, 65535u}) {
    EXPECT_GE(PlanUmem(Demand(mtu)).tx_chunks_per_slot * kChunkSize, mtu + kMaxLinkHeader) << mtu;
  }
}

TEST(UmemBudgetTest, SlotTakesNoMoreChunksThanNeeded) {
  EXPECT_EQ(PlanUmem(Demand(1500)).tx_chunks_per_slot, 1u);
  EXPECT_EQ(PlanUmem(Demand(4074)).tx_chunks_per_slot, 1u);
  EXPECT_EQ(PlanUmem(Demand(4075)).tx_chunks_per_slot, 2u);
  EXPECT_EQ(PlanUmem(Demand(9000)).tx_chunks_per_slot, 3u);
}

TEST(UmemBudgetTest, RingsHaveRoomForEverySlotAtOnce) {
  for (const uint32_t mtu : {1500u, 9000u, 65535u}) {
    const UmemBudget budget = PlanUmem(Demand(mtu));
    EXPECT_GE(budget.tx_ring, budget.LaneTxChunks());
    EXPECT_GE(budget.completion_ring, 2 * budget.LaneTxChunks());
    EXPECT_TRUE(std::has_single_bit(budget.tx_ring));
    EXPECT_TRUE(std::has_single_bit(budget.completion_ring));
  }
}

TEST(UmemBudgetTest, SumIsFillAndReceiveAndTransmit) {
  const UmemBudget budget = PlanUmem(Demand(1500));
  EXPECT_EQ(budget.fill_chunks, 2u * 1024);
  EXPECT_EQ(budget.rx_chunks, 4u * 1024);
  EXPECT_EQ(budget.tx_chunks, 4u * 512);
  EXPECT_EQ(budget.chunks(), 2 * uint64_t{budget.QueueChunks(2)} + 4 * budget.LaneTxChunks());
}

TEST(UmemBudgetTest, LargestMtuIsReceivedInAsManyChunksAsAPacketHolds) {
  EXPECT_LE(RxChunksPerFrame(65535), kMaxRxChunks);
}

TEST(UmemBudgetTest, LargestMtuStillHasSlots) { EXPECT_GE(PlanUmem(Demand(65535)).tx_slots, 16u); }

}  // namespace
}  // namespace netchannel::xdp
