// SPDX-License-Identifier: Apache-2.0
#include "ipc/wait_set.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace netchannel::ipc {
namespace {

class WaitSetTest : public testing::Test {
 protected:
  void SetUp() override {
    region_.view().wait_set(2)->owner.store(1);
    ASSERT_TRUE(producer_.SetEventFd(2, event_fd_));
    eventfd_t ignored;
    ASSERT_EQ(eventfd_read(event_fd_, &ignored), 0);
  }
  void TearDown() override { close(event_fd_); }

  bool Readable() {
    pollfd fd = {event_fd_, POLLIN, 0};
    return poll(&fd, 1, 0) == 1;
  }
  void Push(uint32_t set, uint32_t socket) {
    producer_.Push(region_.view().slot(socket), socket, SetWord(set), SetBit(set));
  }
  bool Queued(uint32_t socket, uint32_t set = 2) {
    return (region_.view().slot(socket)->queued[SetWord(set)].load() & SetBit(set)) != 0;
  }

  Region region_ = *Region::Create({.socket_count = 16, .ring_bytes = 4096});
  WaitSetProducer producer_{region_.view()};
  WaitSetConsumer consumer_{region_.view(), 2};
  const int event_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
};

TEST_F(WaitSetTest, EntriesComeInOrder) {
  Push(2, 5);
  Push(2, 3);
  EXPECT_EQ(consumer_.Pop(), 5u);
  EXPECT_EQ(consumer_.Pop(), 3u);
  EXPECT_EQ(consumer_.Pop(), std::nullopt);
}

TEST_F(WaitSetTest, AnAwakeApplicationIsNotSignalled) {
  EXPECT_FALSE(Readable());
  Push(2, 5);
  EXPECT_FALSE(Readable());
}

TEST_F(WaitSetTest, ASleepingApplicationIsSignalledOnce) {
  consumer_.Arm();
  Push(2, 5);
  Push(2, 6);
  eventfd_t count = 0;
  EXPECT_EQ(eventfd_read(event_fd_, &count), 0);
  EXPECT_EQ(count, 1u);
}

TEST_F(WaitSetTest, ASocketIsInTheRingOnceUntilItIsTakenOut) {
  Push(2, 5);
  EXPECT_TRUE(Queued(5));
  Push(2, 5);
  EXPECT_EQ(consumer_.Pop(), 5u);
  EXPECT_FALSE(Queued(5));
  EXPECT_EQ(consumer_.Pop(), std::nullopt);
  Push(2, 5);
  EXPECT_EQ(consumer_.Pop(), 5u);
}

TEST_F(WaitSetTest, OneCallTellsSeveralSets) {
  region_.view().wait_set(63)->owner.store(1);
  WaitSetConsumer other(region_.view(), 63);
  producer_.Push(region_.view().slot(5), 5, 0, SetBit(2) | SetBit(63));
  EXPECT_EQ(consumer_.Pop(), 5u);
  EXPECT_TRUE(Queued(5, 63));
  EXPECT_EQ(other.Pop(), 5u);
}

TEST_F(WaitSetTest, AnUnusedSetTakesNothingAndMissesNothingLater) {
  WaitSetConsumer other(region_.view(), 3);
  Push(3, 5);
  EXPECT_FALSE(other.HasEntry());
  EXPECT_FALSE(Queued(5, 3));
  region_.view().wait_set(3)->owner.store(1);
  Push(3, 5);
  EXPECT_EQ(other.Pop(), 5u);
}

TEST_F(WaitSetTest, WordsOutOfRangeAreIgnored) {
  producer_.Push(region_.view().slot(5), 5, kSetWords, ~uint64_t{0});
  EXPECT_FALSE(producer_.SetEventFd(kWaitSets, event_fd_));
  EXPECT_FALSE(producer_.SetEventFd(0, -1));
}

TEST_F(WaitSetTest, AFullRingDropsAndAScribbledHeadIsHarmless) {
  const auto push_as_new = [&] {
    region_.view().slot(1)->queued[0].store(0);
    Push(2, 1);
  };
  for (int i = 0; i < 100; ++i) push_as_new();
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(consumer_.Pop());
  EXPECT_FALSE(consumer_.Pop());
  region_.view().wait_set(2)->head.store(0xdeadbeef);
  for (int i = 0; i < 100; ++i) push_as_new();
}

TEST_F(WaitSetTest, AScribbledEntryIsHarmless) {
  Push(2, 5);
  *region_.view().wait_set_entries(2) = 0xffffffff;
  EXPECT_EQ(consumer_.Pop(), 0xffffffffu);
}

TEST_F(WaitSetTest, ADescriptorThatComesLateTellsWhatItMissed) {
  region_.view().wait_set(3)->owner.store(1);
  WaitSetConsumer other(region_.view(), 3);
  other.Arm();
  Push(3, 5);
  EXPECT_FALSE(Readable());
  EXPECT_TRUE(producer_.SetEventFd(3, event_fd_));
  EXPECT_TRUE(Readable());
}

// The file is shared, and so is its O_NONBLOCK: a write would wait until somebody reads.
TEST_F(WaitSetTest, AFullDescriptorThatWouldBlockHoldsNobodyUp) {
  ASSERT_EQ(fcntl(event_fd_, F_SETFL, 0), 0);
  ASSERT_EQ(eventfd_write(event_fd_, UINT64_MAX - 1), 0);
  for (int i = 0; i < 200; ++i) {
    consumer_.Arm();
    Push(2, 5);
    ASSERT_TRUE(consumer_.Pop());
  }
  consumer_.Arm();
  producer_.WakeAll();
  EXPECT_TRUE(Readable());
  const int other = eventfd(0, EFD_CLOEXEC);
  ASSERT_EQ(eventfd_write(other, UINT64_MAX - 1), 0);
  EXPECT_TRUE(producer_.SetEventFd(2, other));
  close(other);
}

TEST_F(WaitSetTest, SignalsComeThroughManyTimes) {
  for (int i = 0; i < 500; ++i) {
    consumer_.Arm();
    Push(2, 5);
    ASSERT_TRUE(consumer_.Pop());
    eventfd_t count = 0;
    ASSERT_EQ(eventfd_read(event_fd_, &count), 0) << i;
    ASSERT_EQ(count, 1u);
  }
}

TEST_F(WaitSetTest, ANewDescriptorTakesTheOldOnesPlace) {
  const int fresh = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  consumer_.Arm();
  EXPECT_TRUE(producer_.SetEventFd(2, fresh));
  Push(2, 5);
  EXPECT_FALSE(Readable());
  eventfd_t count = 0;
  EXPECT_EQ(eventfd_read(fresh, &count), 0);
  close(fresh);
}

}  // namespace
}  // namespace netchannel::ipc
