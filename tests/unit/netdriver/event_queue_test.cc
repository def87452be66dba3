// SPDX-License-Identifier: Apache-2.0
#include "netdriver/event_queue.h"

#include <gtest/gtest.h>

namespace netchannel {
namespace {

TEST(EventQueueTest, GivesEventsInOrder) {
  EventQueue queue;
  queue.PushUp({1, 1});
  queue.PushDown({1, 1}, 5);
  EXPECT_EQ(queue.Pop()->kind, DriverEvent::Kind::kSessionUp);
  EXPECT_EQ(queue.Pop()->error, 5);
  EXPECT_FALSE(queue.Pop());
}

TEST(EventQueueTest, KeepsOrderWhileItGrows) {
  EventQueue queue;
  for (uint32_t i = 0; i < 700; ++i) queue.PushUp({i, 1});
  for (uint32_t i = 0; i < 700; ++i) EXPECT_EQ(queue.Pop()->session.slot, i);
  for (uint32_t i = 0; i < 5000; ++i) queue.PushUp({i, 1});
  for (uint32_t i = 0; i < 5000; ++i) ASSERT_EQ(queue.Pop()->session.slot, i);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace netchannel
