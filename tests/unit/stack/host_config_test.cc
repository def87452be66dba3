// SPDX-License-Identifier: Apache-2.0
#include "stack/host_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netdriver/xdp/umem.h"

namespace netchannel {
namespace {

using ::testing::HasSubstr;

xdp::InterfaceInfo WithQueues(uint32_t count) {
  xdp::InterfaceInfo interface;
  interface.name = "eth7";
  interface.mtu = 1500;
  interface.rx_queues = count;
  return interface;
}

TEST(DeviceConfig, ServesAllQueuesWithALaneOfEachClass) {
  const auto device = MakeDeviceConfig({}, {}, WithQueues(NC_MAX_QUEUES));
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(device->lanes.size(), 2u * NC_MAX_QUEUES);
}

TEST(DeviceConfig, MoreQueuesThanCanBeServedAreRefusedWithTheCure) {
  const auto device = MakeDeviceConfig({}, {}, WithQueues(128));
  ASSERT_FALSE(device.ok());
  EXPECT_THAT(
      std::string(device.status().message()),
      AllOf(HasSubstr("eth7: has 128 receive queues"), HasSubstr("`ethtool -L eth7 combined 64`")));
}

TEST(DeviceConfig, ServesTheChosenQueuesOfMoreThanCanBeServed) {
  Config config;
  config.queues = {0, 63};
  const auto device = MakeDeviceConfig(config, {}, WithQueues(128));
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(device->lanes.size(), 4u);
}

TEST(DeviceConfig, AChosenQueueThatIsNotThereIsRefused) {
  Config config;
  config.queues = {4};
  const auto device = MakeDeviceConfig(config, {}, WithQueues(4));
  ASSERT_FALSE(device.ok());
  EXPECT_THAT(std::string(device.status().message()),
              HasSubstr("no receive queue 4: choose from what it has, queues 0..3"));
}

TEST(DeviceConfig, PacketsOfAQueueTakeAtMostTenMebibytesByDefault) {
  const auto device = MakeDeviceConfig({}, {}, WithQueues(1));
  ASSERT_TRUE(device.ok()) << device.status();
  for (const uint32_t mtu : {1500u, 4075u, 9000u, 65535u}) {
    const xdp::UmemBudget budget = xdp::PlanUmem({.queues = 1,
                                                  .lanes = 2,
                                                  .max_lanes_per_queue = 2,
                                                  .rx_ring = device->rx_ring,
                                                  .tx_ring = device->tx_ring,
                                                  .mtu = mtu});
    EXPECT_LE(budget.bytes(), uint64_t{10} << 20) << mtu;
  }
}

// Simulator and unit tests run what is shipped.
TEST(MakeHostConfigTest, DelayedAcknowledgementsAreTheTransportsByDefault) {
  const HostConfig host = MakeHostConfig({}, {}, 1500);
  const transport::ConnectionConfig transport;
  EXPECT_EQ(host.driver.connection.ack_threshold, transport.ack_threshold);
  EXPECT_EQ(host.driver.connection.max_ack_delay, transport.max_ack_delay);
}

}  // namespace
}  // namespace netchannel
