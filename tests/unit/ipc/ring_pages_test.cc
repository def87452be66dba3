// SPDX-License-Identifier: Apache-2.0
#include "ipc/ring_pages.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <vector>

#include "ipc/region.h"

namespace netchannel::ipc {
namespace {

constexpr ByteCount kKib = 1024;
constexpr ByteCount kRing = 512 * kKib;

class RingPagesTest : public testing::Test {
 protected:
  RingPagesTest() : region_(*Region::Create({.socket_count = 16, .ring_bytes = kRing})) {}

  RingView ring() const { return region_.view().send_ring(0); }
  // The ring's KiB that have memory, and nothing behind them.
  ByteCount PresentKib() const {
    std::vector<unsigned char> pages(kRing / 4096);
    EXPECT_EQ(mincore(ring().base, kRing, pages.data()), 0);
    ByteCount count = 0;
    while (count < pages.size() && (pages[count] & 1) != 0) ++count;
    for (size_t i = count; i < pages.size(); ++i) EXPECT_EQ(pages[i] & 1, 0) << i;
    return count * 4;
  }

  Region region_;
  RingPages pages_;
};

TEST_F(RingPagesTest, AShortStreamHasItsPagesByTouching) {
  pages_.Reach(ring(), RingPages::kByTouch);
  EXPECT_EQ(PresentKib(), 0u);
}

TEST_F(RingPagesTest, APieceOfThemIsThereBeforeItIsUsed) {
  // What the first bytes touch.
  ring().CopyIn(0, std::vector<std::byte>(RingPages::kByTouch));
  pages_.Reach(ring(), 17 * kKib);
  EXPECT_EQ(PresentKib(), 32u);
  pages_.Reach(ring(), 32 * kKib);
  EXPECT_EQ(PresentKib(), 32u);
  pages_.Reach(ring(), 33 * kKib);
  EXPECT_EQ(PresentKib(), 48u);
}

TEST_F(RingPagesTest, AnothersWordGetsSomeOfThemAtATime) {
  ring().CopyIn(0, std::vector<std::byte>(RingPages::kByTouch));
  pages_.Approach(ring(), RingPages::kByTouch);
  EXPECT_EQ(PresentKib(), 16u);
  pages_.Approach(ring(), ~StreamOffset{0});
  EXPECT_EQ(PresentKib(), 48u);
  pages_.Approach(ring(), ~StreamOffset{0});
  EXPECT_EQ(PresentKib(), 80u);
  pages_.Approach(ring(), 81 * kKib);
  EXPECT_EQ(PresentKib(), 96u);
}

TEST_F(RingPagesTest, WhoHasThemOfTheOtherSideAsksForNothing) {
  pages_ = RingPages(RingPages::kAll);
  pages_.Reach(ring(), kRing);
  EXPECT_EQ(PresentKib(), 0u);
}

TEST_F(RingPagesTest, ALongWriteHasAllOfItsPages) {
  ring().CopyIn(0, std::vector<std::byte>(RingPages::kByTouch));
  pages_.Reach(ring(), 301 * kKib);
  EXPECT_EQ(PresentKib(), 304u);
}

// Of the ring: what an application says is no reason to touch what lies behind it.
TEST_F(RingPagesTest, AWrongOffsetHasThePagesOfTheRingAndNoOthers) {
  ring().CopyIn(0, std::vector<std::byte>(RingPages::kByTouch));
  pages_.Reach(ring(), ~StreamOffset{0});
  EXPECT_EQ(PresentKib(), kRing / kKib);
  std::vector<unsigned char> behind(kRing / 4096);
  ASSERT_EQ(mincore(ring().base + kRing, kRing, behind.data()), 0);
  for (const unsigned char page : behind) EXPECT_EQ(page & 1, 0);
}

TEST_F(RingPagesTest, TheSecondLapAsksForNothing) {
  pages_.Reach(ring(), kRing);
  ASSERT_EQ(madvise(ring().base, kRing, MADV_REMOVE), 0);
  pages_.Reach(ring(), 2 * kRing);
  EXPECT_EQ(PresentKib(), 0u);
}

TEST_F(RingPagesTest, WhatTheKernelRefusesLeavesErrnoAlone) {
  RingView nowhere = ring();
  nowhere.base += 1;  // no page begins there: EINVAL
  errno = EDOM;
  pages_.Reach(nowhere, 17 * kKib);
  EXPECT_EQ(errno, EDOM);
  EXPECT_EQ(PresentKib(), 0u);
}

}  // namespace
}  // namespace netchannel::ipc
