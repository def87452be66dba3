// SPDX-License-Identifier: Apache-2.0
#include "ipc/region.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

namespace netchannel::ipc {
namespace {

RegionShape Small() { return {.socket_count = 16, .ring_bytes = 4096}; }

TEST(RegionTest, PartsDoNotOverlapAndFillTheRegion) {
  const RegionLayout layout = *ComputeLayout(Small());
  const std::vector<std::pair<uint64_t, uint64_t>> parts = {
      {0, sizeof(RegionHeader)},
      {layout.calls_offset, kCalls * sizeof(Call)},
      {layout.doorbells_offset,
       sizeof(DoorbellRing) + layout.doorbell_count * sizeof(DoorbellCell)},
      {layout.sets_offset, kWaitSets * sizeof(WaitSet)},
      {layout.entries_offset, kWaitSets * layout.set_entries * sizeof(uint32_t)},
      {layout.slots_offset, 16 * sizeof(SocketSlot)},
      {layout.buffers_offset, 16 * 2 * 4096},
      {layout.region_size, 0}};
  for (size_t i = 1; i < parts.size(); ++i) {
    EXPECT_GE(parts[i].first, parts[i - 1].first + parts[i - 1].second) << i;
  }
}

TEST(RegionTest, EverySocketAndCallFitsInTheDoorbellRing) {
  for (uint32_t sockets = 1; sockets <= kMaxSockets; sockets *= 2) {
    EXPECT_GT(ComputeLayout({sockets, 4096})->doorbell_count, sockets + kCalls);
  }
}

TEST(RegionTest, BadShapesAreRefused) {
  EXPECT_FALSE(ComputeLayout({0, 4096}).ok());
  EXPECT_FALSE(ComputeLayout({3, 4096}).ok());
  EXPECT_FALSE(ComputeLayout({2 * kMaxSockets, 4096}).ok());
  EXPECT_FALSE(ComputeLayout({16, 2048}).ok());
  EXPECT_FALSE(ComputeLayout({16, 5000}).ok());
  EXPECT_FALSE(ComputeLayout({kMaxSockets, kMaxRingBytes}).ok());
}

TEST(RegionTest, ALargeRegionCostsNothingUntilTouched) {
  const auto region = Region::Create({.socket_count = 16384, .ring_bytes = 1 << 20});
  ASSERT_TRUE(region.ok()) << region.status();
  struct stat info;
  ASSERT_EQ(fstat(region->fd(), &info), 0);
  EXPECT_LT(info.st_blocks * 512, 1 << 20);
}

TEST(RegionTest, TheOtherSideSeesTheSameMemory) {
  const auto region = Region::Create(Small());
  const auto other = Region::Map(dup(region->fd()));
  ASSERT_TRUE(other.ok()) << other.status();
  region->view().send_ring(3).base[17] = std::byte{42};
  EXPECT_EQ(other->view().send_ring(3).base[17], std::byte{42});
}

TEST(RegionTest, TheFileCannotShrinkUnderTheStack) {
  const auto region = Region::Create(Small());
  EXPECT_NE(ftruncate(region->fd(), 4096), 0);
}

TEST(RegionTest, IndicesOutOfRangeGiveNothing) {
  const auto region = Region::Create(Small());
  const RegionView& view = region->view();
  EXPECT_EQ(view.slot(16), nullptr);
  EXPECT_EQ(view.call(kCalls), nullptr);
  EXPECT_EQ(view.wait_set(kWaitSets), nullptr);
  EXPECT_EQ(view.wait_set_entries(kWaitSets), nullptr);
  EXPECT_FALSE(view.send_ring(16).valid());
}

TEST(RegionTest, RingsOfNeighboursDoNotOverlap) {
  const auto region = Region::Create(Small());
  const RegionView& view = region->view();
  EXPECT_EQ(view.receive_ring(4).base, view.send_ring(4).base + 4096);
  EXPECT_EQ(view.send_ring(5).base, view.receive_ring(4).base + 4096);
  EXPECT_EQ(view.receive_ring(15).base + 4096, region->base() + region->size());
}

TEST(RegionTest, AHeaderThatLiesIsRefused) {
  const auto region = Region::Create(Small());
  RegionHeader* header = region->view().header();
  header->slots_offset += 64;
  EXPECT_FALSE(RegionView::Open(region->base(), region->size()).ok());
  header->slots_offset -= 64;
  EXPECT_TRUE(RegionView::Open(region->base(), region->size()).ok());
  EXPECT_FALSE(RegionView::Open(region->base(), region->size() - 1).ok());
  header->abi_version += 1;
  EXPECT_FALSE(RegionView::Open(region->base(), region->size()).ok());
}

TEST(RegionTest, AFileThatIsNoRegionIsRefused) {
  const int fd = memfd_create("other", MFD_CLOEXEC);
  EXPECT_FALSE(Region::Map(dup(fd)).ok());
  ASSERT_EQ(ftruncate(fd, 1 << 20), 0);
  EXPECT_FALSE(Region::Map(fd).ok());
}

}  // namespace
}  // namespace netchannel::ipc
