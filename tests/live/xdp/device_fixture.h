// SPDX-License-Identifier: Apache-2.0
//
// Two hosts joined by a veth pair, set up by scripts/setup.sh, with devices opened at either end.
// Skips, naming the privilege, when not root.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <vector>

#include "../stack/guardian.h"
#include "namespace_pair.h"
#include "netdriver/xdp/xdp_device.h"
#include "test_traffic.h"

namespace netchannel::test {

class LiveTest : public testing::Test {
 protected:
  static constexpr uint16_t kBasePort = 9000;

  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root, for network namespaces and BPF";
    [[maybe_unused]] static const bool once = (StartGuardian(""), true);
  }

  void MakeLink(int mtu, int queues = 2) {
    pair_.emplace(mtu, queues);
    ASSERT_EQ(pair_->error(), "");
  }

  void MakeLinkAndSetup(int mtu, int queues = 2) {
    ASSERT_NO_FATAL_FAILURE(MakeLink(mtu, queues));
    for (const int end : {kA, kB}) {
      const CommandResult result = pair_->Setup(end);
      ASSERT_EQ(result.status, 0) << result.output;
    }
  }

  static XdpDeviceConfig Config(std::vector<XdpLaneConfig> lanes) {
    XdpDeviceConfig config;
    config.ifname = NamespacePair::kInterface;
    config.lanes = std::move(lanes);
    config.base_port = kBasePort;
    return config;
  }

  absl::StatusOr<std::unique_ptr<XdpDevice>> Open(int end, const XdpDeviceConfig& config) {
    const InNamespace inside(*pair_, end);
    return XdpDevice::Open(config);
  }

  std::unique_ptr<XdpDevice> MustOpen(int end, const XdpDeviceConfig& config) {
    auto device = Open(end, config);
    EXPECT_TRUE(device.ok()) << device.status();
    return device.ok() ? *std::move(device) : nullptr;
  }

  // What comes of a packet sent from a to port kBasePort + `lane` of b.
  static Traffic ToLane(int lane) {
    return Traffic({NamespacePair::Address(kA), NamespacePair::Address(kB),
                    static_cast<uint16_t>(kBasePort + lane)});
  }

  std::optional<NamespacePair> pair_;
};

}  // namespace netchannel::test
