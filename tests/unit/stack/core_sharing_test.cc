// SPDX-License-Identifier: Apache-2.0
#include "stack/core_sharing.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/region.h"

namespace netchannel {
namespace {

// The test's thread is the stack's own; what an application's thread says of itself, it writes.
class CoreSharingTest : public testing::Test {
 protected:
  CoreSharingTest() {
    bridge_.AddApplication(std::make_unique<ipc::StackSide>(region_.view()),
                           ApplicationInfo::Self());
  }

  ipc::RegionHeader* header() { return region_.view().header(); }
  void SpinOn(uint32_t core) {
    header()->spinner.store((++looks_ << ipc::kSpinnerCoreBits) | core);
  }
  bool IsSpinner(Time now, uint32_t core) {
    cpu_set_t cores;
    bridge_.CollectSpinners(now, &cores);
    EXPECT_LE(CPU_COUNT(&cores), 1);
    return CPU_ISSET(core, &cores);
  }
  static cpu_set_t Affinity() {
    cpu_set_t cores;
    EXPECT_EQ(sched_getaffinity(0, sizeof(cores), &cores), 0);
    return cores;
  }

  ipc::Region region_ = *ipc::Region::Create({.socket_count = 16, .ring_bytes = 4096});
  ipc::Region later_ = *ipc::Region::Create({.socket_count = 16, .ring_bytes = 4096});
  Bridge bridge_;
  Time now_ = Time::FromNanos(1'000'000'000);
  uint32_t looks_ = 0;
};

TEST_F(CoreSharingTest, AThreadThatLooksNoMoreIsSoonNoSpinner) {
  EXPECT_FALSE(IsSpinner(now_, 3));
  SpinOn(3);
  EXPECT_TRUE(IsSpinner(now_, 3));
  EXPECT_TRUE(IsSpinner(now_ + Duration::Micros(100), 3));
  EXPECT_FALSE(IsSpinner(now_ + Duration::Millis(2), 3));
  SpinOn(3);
  EXPECT_TRUE(IsSpinner(now_ + Duration::Millis(3), 3));
}

// sched_getattr(2): the time slice of this thread in ns; 0 before Linux 6.12.
uint64_t Slice() {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes{};
  EXPECT_EQ(syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0), 0);
  return attributes.runtime;
}

TEST_F(CoreSharingTest, SlicesAreShortWhereNobodySpins) {
  const uint64_t kernels = Slice();
  CoreSharing sharing(&bridge_);
  sharing.OnIdle(now_);
  EXPECT_EQ(Slice(), kernels == 0 ? 0u : 100'000u);
  SpinOn(3);
  sharing.OnIdle(now_);
  EXPECT_EQ(Slice(), kernels);
}

TEST_F(CoreSharingTest, WhoSpinsKeepsTheStackAwakeForAWhile) {
  CoreSharing sharing(&bridge_);
  EXPECT_FALSE(sharing.IsAwaited(now_, now_));
  SpinOn(3);
  EXPECT_TRUE(sharing.IsAwaited(now_, now_));
  SpinOn(3);
  EXPECT_TRUE(sharing.IsAwaited(now_ + Duration::Micros(999), now_));
  SpinOn(3);
  EXPECT_FALSE(sharing.IsAwaited(now_ + Duration::Millis(1), now_));
}

TEST_F(CoreSharingTest, AnApplicationMayNameAnyCore) {
  SpinOn((1u << ipc::kSpinnerCoreBits) - 1);
  cpu_set_t cores;
  bridge_.CollectSpinners(now_, &cores);
  EXPECT_EQ(CPU_COUNT(&cores), 0);
}

TEST_F(CoreSharingTest, ApplicationsReadWhereTheStackRuns) {
  EXPECT_EQ(header()->stack_core.load(), 0u);
  bridge_.SetStackCore(5);
  EXPECT_EQ(header()->stack_core.load(), 6u);
  bridge_.AddApplication(std::make_unique<ipc::StackSide>(later_.view()), ApplicationInfo::Self());
  EXPECT_EQ(later_.view().header()->stack_core.load(), 6u);
}

TEST_F(CoreSharingTest, TheStackLeavesTheCoreOfASpinnerAndStaysFreeToMove) {
  const cpu_set_t before = Affinity();
  if (CPU_COUNT(&before) < 2) GTEST_SKIP() << "needs two cores";
  CoreSharing sharing(&bridge_);
  constexpr int kTries = 20;
  int moved = 0;
  for (int i = 0; i < kTries; ++i) {
    const int core = sched_getcpu();
    SpinOn(static_cast<uint32_t>(core));
    now_ = now_ + Duration::Millis(20);
    sharing.OnIdle(now_);
    if (sched_getcpu() != core) ++moved;
    const cpu_set_t after = Affinity();
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
  }
  // The kernel may have brought it back a time or two.
  EXPECT_GE(moved, kTries / 2);
}

TEST_F(CoreSharingTest, TheStackStaysWhereThereIsNoOtherCore) {
  const cpu_set_t before = Affinity();
  cpu_set_t one;
  CPU_ZERO(&one);
  const int core = sched_getcpu();
  CPU_SET(core, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  CoreSharing sharing(&bridge_);
  SpinOn(static_cast<uint32_t>(core));
  sharing.OnIdle(now_);
  EXPECT_EQ(sched_getcpu(), core);
  const cpu_set_t after = Affinity();
  EXPECT_TRUE(CPU_EQUAL(&one, &after));
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}

}  // namespace
}  // namespace netchannel
