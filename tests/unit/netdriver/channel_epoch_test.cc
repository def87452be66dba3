// SPDX-License-Identifier: Apache-2.0
#include "netdriver/channel_epoch.h"

#include <gtest/gtest.h>

namespace netchannel {
namespace {

wire::Ack AckOf(PacketNumber largest, uint32_t first, std::vector<wire::Ack::Range> ranges = {}) {
  wire::Ack ack;
  ack.largest = largest;
  ack.first_length = first;
  for (const auto& range : ranges) ack.ranges[ack.range_count++] = range;
  return ack;
}

TEST(ChannelEpoch, TheFirstConnectionsNumbersAreThoseOnTheWire) {
  ChannelEpoch epoch;
  EXPECT_EQ(epoch.Sent(1), 1u);
  EXPECT_EQ(epoch.Received(7), 7u);
  wire::Ack ack = AckOf(5, 2, {{1, 2}});
  EXPECT_TRUE(epoch.FromWire(ack));
  EXPECT_EQ(ack.largest, 5u);
  EXPECT_EQ(ack.range_count, 1);
}

TEST(ChannelEpoch, TheNextOneGoesOnBehindBothDirections) {
  ChannelEpoch epoch;
  epoch.Sent(9);
  epoch.Received(20);
  epoch.Received(15);
  epoch.Rest();
  EXPECT_EQ(epoch.Sent(1), 10u);
  EXPECT_EQ(epoch.Received(20), std::nullopt);
  EXPECT_EQ(epoch.Received(21), 1u);
  wire::Ack ack = AckOf(1, 1);
  epoch.ToWire(ack);
  EXPECT_EQ(ack.largest, 21u);
}

TEST(ChannelEpoch, AnAckOfEarlierConnectionsOnlySaysNothing) {
  ChannelEpoch epoch;
  epoch.Sent(9);
  epoch.Rest();
  wire::Ack ack = AckOf(9, 9);
  EXPECT_FALSE(epoch.FromWire(ack));
}

TEST(ChannelEpoch, AnAckThatReachesIntoEarlierConnectionsIsCut) {
  ChannelEpoch epoch;
  epoch.Sent(10);
  epoch.Rest();
  // [15, 16], [12, 13], [4, 10]: of this connection 5 to 6 and 2 to 3.
  wire::Ack ack = AckOf(16, 2, {{1, 2}, {1, 7}});
  ASSERT_TRUE(epoch.FromWire(ack));
  EXPECT_EQ(ack.largest, 6u);
  EXPECT_EQ(ack.first_length, 2u);
  ASSERT_EQ(ack.range_count, 1);
  EXPECT_EQ(ack.ranges[0].length, 2u);
  // One range over the border.
  ack = AckOf(12, 8);
  ASSERT_TRUE(epoch.FromWire(ack));
  EXPECT_EQ(ack.largest, 2u);
  EXPECT_EQ(ack.first_length, 2u);
  // A further range over the border.
  ack = AckOf(14, 1, {{1, 9}});
  ASSERT_TRUE(epoch.FromWire(ack));
  ASSERT_EQ(ack.range_count, 1);
  EXPECT_EQ(ack.ranges[0].length, 2u);
}

TEST(ChannelEpoch, MarksAreCountedOnceEachWay) {
  ChannelEpoch epoch;
  epoch.Sent(1);
  wire::Ack ack = AckOf(1, 1);
  ack.ce_count = 5;
  epoch.ToWire(ack);
  wire::Ack theirs = AckOf(1, 1);
  theirs.ce_count = 8;
  EXPECT_TRUE(epoch.FromWire(theirs));
  epoch.Rest();
  epoch.Sent(1);
  ack = AckOf(1, 1);
  ack.ce_count = 2;
  epoch.ToWire(ack);
  EXPECT_EQ(ack.ce_count, 7u) << "what the peer is told never falls";
  theirs = AckOf(2, 1);
  theirs.ce_count = 9;
  EXPECT_TRUE(epoch.FromWire(theirs));
  EXPECT_EQ(theirs.ce_count, 1u) << "earlier marks are no news to the new connection";
}

}  // namespace
}  // namespace netchannel
