// SPDX-License-Identifier: Apache-2.0
#include "netdriver/reply_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "test_network.h"

namespace netchannel {
namespace {

class ReplyQueueTest : public testing::Test {
 protected:
  ReturnPath To(uint16_t port) const {
    ReturnPath to;
    to.link.bytes[12] = std::byte{0x08};
    to.local = {wire::IpAddress::V4(1), 4700};
    to.remote = {wire::IpAddress::V4(2), port};
    return to;
  }
  void Add(uint16_t port) {
    Reply* reply = queue_.Add(To(port));
    ASSERT_NE(reply, nullptr);
    reply->length = 20;
  }

  std::vector<FrameBytes> sent_;
  FakeLane lane_{LaneInfo{}, [this](FrameBytes frame) { sent_.push_back(std::move(frame)); }};
  const std::array<Lane*, 1> all_{&lane_};
  LaneSet lanes_{all_};
  ReplyQueue queue_;
};

TEST_F(ReplyQueueTest, SendsInOrder) {
  Add(1);
  Add(2);
  EXPECT_EQ(queue_.Send(lanes_, 10), 2u);
  ASSERT_EQ(sent_.size(), 2u);
  EXPECT_EQ(ParseFrame(sent_[0]).datagram.destination.port, 1);
  EXPECT_EQ(ParseFrame(sent_[1]).datagram.destination.port, 2);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(ReplyQueueTest, KeepsToTheBudget) {
  Add(1);
  Add(2);
  EXPECT_EQ(queue_.Send(lanes_, 1), 1u);
  EXPECT_FALSE(queue_.empty());
}

TEST_F(ReplyQueueTest, WaitsForABuffer) {
  lane_.free_buffers = 0;
  Add(1);
  EXPECT_EQ(queue_.Send(lanes_, 10), 0u);
  lane_.free_buffers = 1;
  lanes_.BeginPoll();
  EXPECT_EQ(queue_.Send(lanes_, 10), 1u);
}

TEST_F(ReplyQueueTest, IsBounded) {
  for (size_t i = 0; i < ReplyQueue::kCapacity; ++i) Add(1);
  EXPECT_EQ(queue_.Add(To(1)), nullptr);
}

TEST_F(ReplyQueueTest, ALinkHeaderIsTurnedRoundWithItsTags) {
  std::array<std::byte, 18> frame{};
  for (size_t i = 0; i < frame.size(); ++i) frame[i] = static_cast<std::byte>(i);
  const LinkHeader link = ReverseLinkHeader(frame, frame.size());
  EXPECT_EQ(link.length, 18);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(link.bytes[i], frame[6 + i]);
    EXPECT_EQ(link.bytes[6 + i], frame[i]);
    EXPECT_EQ(link.bytes[12 + i], frame[12 + i]);
  }
}

}  // namespace
}  // namespace netchannel
