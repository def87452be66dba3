// SPDX-License-Identifier: Apache-2.0
#include "ipc/wait_set.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <thread>

namespace netchannel::ipc {
namespace {

class WaitSetTest : public testing::Test {
 protected:
  void SetUp() override { region_.view().wait_set(2)->in_use.store(1); }
  bool Readable() {
    pollfd fd = {producer_.EventFd(2), POLLIN, 0};
    return poll(&fd, 1, 0) == 1;
  }

  Region region_ = *Region::Create({.socket_count = 16, .ring_bytes = 4096});
  WaitSetProducer producer_{region_.view()};
  WaitSetConsumer consumer_{region_.view(), 2};
};

TEST_F(WaitSetTest, EntriesComeInOrder) {
  producer_.Push(2, 5);
  producer_.Push(2, 3);
  EXPECT_EQ(consumer_.Pop(), 5u);
  EXPECT_EQ(consumer_.Pop(), 3u);
  EXPECT_EQ(consumer_.Pop(), std::nullopt);
}

TEST_F(WaitSetTest, AnAwakeApplicationIsNotSignalled) {
  EXPECT_FALSE(Readable());
  producer_.Push(2, 5);
  EXPECT_FALSE(Readable());
}

TEST_F(WaitSetTest, ASleepingApplicationIsSignalledOnce) {
  EXPECT_FALSE(Readable());
  consumer_.Arm();
  producer_.Push(2, 5);
  producer_.Push(2, 6);
  eventfd_t count = 0;
  EXPECT_EQ(eventfd_read(producer_.EventFd(2), &count), 0);
  EXPECT_EQ(count, 1u);
}

TEST_F(WaitSetTest, AnUnusedSetTakesNothing) {
  WaitSetConsumer other(region_.view(), 3);
  producer_.Push(3, 5);
  EXPECT_FALSE(other.HasEntry());
}

TEST_F(WaitSetTest, SetsOutOfRangeAreIgnored) {
  producer_.Push(kWaitSets, 5);
  producer_.Push(kNoIndex, 5);
  EXPECT_EQ(producer_.EventFd(kWaitSets), -1);
}

TEST_F(WaitSetTest, AFullRingDropsAndAScribbledHeadIsHarmless) {
  for (int i = 0; i < 100; ++i) producer_.Push(2, 1);
  for (int i = 0; i < 32; ++i) EXPECT_TRUE(consumer_.Pop());
  EXPECT_FALSE(consumer_.Pop());
  region_.view().wait_set(2)->head.store(0xdeadbeef);
  for (int i = 0; i < 100; ++i) producer_.Push(2, 1);
}

TEST_F(WaitSetTest, ThreadsGetOneDescriptor) {
  int a = -1, b = -1;
  std::thread one([&] { a = producer_.EventFd(2); }), two([&] { b = producer_.EventFd(2); });
  one.join();
  two.join();
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace netchannel::ipc
