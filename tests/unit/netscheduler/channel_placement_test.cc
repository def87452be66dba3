// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/channel_placement.h"

#include <gtest/gtest.h>

#include <vector>

namespace netchannel {
namespace {

constexpr AppClass kClass = AppClass::kThroughput;

// Channel i runs over lane i, on queue i; the first `open` are open.
std::vector<ChannelInfo> Channels(uint8_t count, uint8_t open) {
  std::vector<ChannelInfo> channels;
  for (uint8_t i = 0; i < count; ++i) {
    channels.push_back({.index = i, .app_class = kClass, .open = i < open, .lane = i});
  }
  return channels;
}
std::vector<LaneLoad> Lanes(std::vector<double> core) {
  std::vector<LaneLoad> lanes;
  for (size_t i = 0; i < core.size(); ++i) {
    lanes.push_back({.queue = static_cast<uint32_t>(i), .core = core[i]});
  }
  return lanes;
}

TEST(ChannelPlacement, OpensWhereTheCoreIsLeastBusy) {
  EXPECT_EQ(ChannelToOpen(Channels(4, 1), kClass, Lanes({0.9, 0.8, 0.2, 0.5})), 2);
}

TEST(ChannelPlacement, NoiseDecidesNothing) {
  EXPECT_EQ(ChannelToOpen(Channels(4, 1), kClass, Lanes({0.5, 0.51, 0.505, 0.5})), 1);
}

TEST(ChannelPlacement, AmongEqualsOpensOnTheQueueWithTheFewestChannels) {
  auto lanes = Lanes({0, 0, 0, 0});
  lanes[2].queue = 0;  // lanes 0 and 2 share a queue, 1 and 3 another
  lanes[1].queue = lanes[3].queue = 1;
  auto channels = Channels(4, 1);
  EXPECT_EQ(ChannelToOpen(channels, kClass, lanes), 1);
  channels[1].open = true;
  EXPECT_EQ(ChannelToOpen(channels, kClass, lanes), 2);
}

TEST(ChannelPlacement, ClosesWhereTheCoreIsBusiestAndElseTheLast) {
  EXPECT_EQ(ChannelToClose(Channels(4, 3), kClass, Lanes({0.2, 0.9, 0.2, 1.0})), 1);
  EXPECT_EQ(ChannelToClose(Channels(4, 3), kClass, Lanes({0.2, 0.2, 0.2, 0.2})), 2);
}

TEST(ChannelPlacement, NeverTakesAFailedChannelOrOneOfTheOtherClass) {
  auto channels = Channels(3, 1);
  channels[1].failed = true;
  channels[2].app_class = AppClass::kLatency;
  EXPECT_EQ(ChannelToOpen(channels, kClass, {}), std::nullopt);
  EXPECT_EQ(ChannelToClose(channels, kClass, {}), 0);
}

}  // namespace
}  // namespace netchannel
