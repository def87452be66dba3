// SPDX-License-Identifier: Apache-2.0
//
// Channels that come and go while traffic flows, over links that lose, reorder and repeat: no byte
// is lost, whoever opens and closes how often, and what is closed comes to rest.
#include <gtest/gtest.h>

#include <array>

#include "base/rng.h"
#include "base/sanitizers.h"
#include "netdriver/packet_channel.h"
#include "sim/pair.h"

namespace netchannel::sim {
namespace {

constexpr uint8_t kChannels = 4;

// Opens and closes channels of a host's session by dice, once every `period`.
class Shaker final : public Actor {
 public:
  Shaker(Network* network, SimHost* host, Duration period, uint64_t seed)
      : Actor(&network->events()), host_(host), period_(period), rng_(seed) {
    WakeAt(network->now() + period);
  }
  void OnWake(Time now) override {
    for (const SessionStatus& session : host_->driver().Status()) {
      if (session.up) Shake(session);
    }
    host_->Kick();
    WakeAt(now + period_);
  }
  int opened = 0, closed = 0;
  int rested = 0;  // channels that came to rest

 private:
  void Shake(const SessionStatus& session) {
    for (const ChannelStatus& channel : session.channels) {
      bool& draining = draining_[channel.index];
      rested += draining && channel.state == std::string("resting") ? 1 : 0;
      draining = channel.state == std::string("draining");
    }
    const auto channel = static_cast<uint8_t>(rng_.Below(session.channels.size()));
    if (rng_.Below(2) == 0) {
      opened += host_->packet_driver().OpenChannel(session.handle, channel) ? 1 : 0;
    } else {
      closed += host_->packet_driver().CloseChannel(session.handle, channel) ? 1 : 0;
    }
  }

  SimHost* const host_;
  const Duration period_;
  SeededRng rng_;
  std::array<bool, 2 * kChannels> draining_{};
};

// Under a sanitizer, ten times slower, fewer do.
#if defined(NC_ADDRESS_SANITIZER) || defined(NC_THREAD_SANITIZER)
constexpr uint64_t kCycleSeeds = 4;
#else
constexpr uint64_t kCycleSeeds = 12;
#endif

class ChannelCycles : public testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, ChannelCycles, testing::Range<uint64_t>(0, kCycleSeeds));

TEST_P(ChannelCycles, LoseNoByteOnALossyLink) {
  // Half of the seeds open channels again while they drain; the others take as long over it that
  // channels rest and are made again.
  const bool slow = GetParam() % 2 == 1;
  PairOptions options = PairOptions::Over(slow ? 20 : 200, Duration::Micros(500));
  options.seed = GetParam();
  options.host.ring_bytes = 256 * 1024;
  options.host.queues = 2;
  options.host.channels_per_class = kChannels;
  options.host.open_per_class = 1;
  options.there.faults.loss = options.back.faults.loss = 0.01;
  options.there.faults.reorder = options.back.faults.reorder = 0.05;
  options.there.faults.reorder_delay = options.back.faults.reorder_delay = Duration::Millis(2);
  options.there.faults.duplicate = options.there.faults.replay = 0.01;
  Pair pair(options);
  const Duration period = Duration::Millis(slow ? 300 : 5);
  Shaker here(&pair.network(), &pair.client_host(), period, GetParam() + 1000);
  Shaker there(&pair.network(), &pair.server_host(), period, GetParam() + 2000);
  for (int i = 0; i < 6; ++i) {
    StreamPlan plan;
    plan.seed = 50 + static_cast<uint64_t>(i);
    plan.to_server = plan.to_client = 8'000'000;
    plan.app_class = i % 3 == 0 ? AppClass::kLatency : AppClass::kThroughput;
    pair.traffic().Open(pair.client_host(), pair.server_host(), plan);
  }
  ASSERT_TRUE(
      pair.network().RunUntil([&] { return pair.traffic().Done(); }, Duration::Seconds(120)))
      << pair.network().Describe();
  pair.ExpectLawful();
  const int least = slow ? 5 : 50;
  EXPECT_GE(here.opened, least);
  EXPECT_GE(here.closed, least);
  EXPECT_GE(there.opened, least);
  EXPECT_GE(there.closed, least);
  if (slow) {
    EXPECT_GE(here.rested + there.rested, 2);
  }
}

// Says what a test says about the cores.
struct SteadyLoad final : LoadSource {
  double cpu = 0;
  void Sample(Time, absl::Span<LaneLoad> lanes) override {
    for (LaneLoad& lane : lanes) lane.cpu = cpu;
  }
};

uint32_t OpenThroughputChannels(SimHost& host) {
  uint32_t open = 0;
  const auto sessions = host.driver().Status();
  for (const ChannelStatus& channel : sessions[0].channels) {
    open += channel.app_class == AppClass::kThroughput && channel.state == std::string("open");
  }
  return open;
}

class AdaptiveChannels : public testing::Test {
 protected:
  AdaptiveChannels() {
    PairOptions options = PairOptions::Over(200, Duration::Micros(100));
    options.host.queues = 2;
    options.host.channels_per_class = kChannels;
    options.host.open_per_class = 1;
    options.host.scaling = "adaptive";
    pair_ = std::make_unique<Pair>(options);
    pair_->client_host().SetLoadSource(&load_);
  }
  SteadyLoad load_;
  std::unique_ptr<Pair> pair_;
};

TEST_F(AdaptiveChannels, OneIsEnoughWhenTheLinkIsTheLimit) {
  load_.cpu = 0.3;
  pair_->UploadForEver();
  pair_->network().RunFor(Duration::Seconds(5));
  EXPECT_EQ(OpenThroughputChannels(pair_->client_host()), 1u);
  EXPECT_EQ(pair_->client_host().scaler().changes(), 0u);
}

// The link does not get faster by it: each trial ends, and they become rare.
TEST_F(AdaptiveChannels, VainTrialsAreTakenBackAndBecomeRare) {
  load_.cpu = 0.95;
  pair_->UploadForEver();
  pair_->network().RunFor(Duration::Seconds(10));
  EXPECT_LE(OpenThroughputChannels(pair_->client_host()), 2u);
  const uint64_t first = pair_->client_host().scaler().changes();
  EXPECT_GE(first, 4u);
  pair_->network().RunFor(Duration::Seconds(10));
  EXPECT_LE(pair_->client_host().scaler().changes() - first, 4u);
}

TEST_F(AdaptiveChannels, WhatIsClosedComesToRest) {
  pair_->UploadForEver();
  pair_->network().RunFor(Duration::Millis(100));
  Driver& driver = pair_->client_host().packet_driver();
  const SessionStatus session = driver.Status()[0];
  uint8_t second = 0;
  for (const ChannelStatus& channel : session.channels) {
    if (channel.app_class == AppClass::kThroughput) second = channel.index;
  }
  ASSERT_TRUE(driver.OpenChannel(session.handle, second));
  pair_->network().RunFor(Duration::Millis(100));
  EXPECT_STREQ(driver.Status()[0].channels[second].state, "open");
  EXPECT_GT(driver.Status()[0].channels[second].stats.packets_sent, 0u);
  ASSERT_TRUE(driver.CloseChannel(session.handle, second));
  EXPECT_STREQ(driver.Status()[0].channels[second].state, "draining");
  pair_->network().RunFor(PacketChannel::kLinger + Duration::Seconds(1));
  EXPECT_STREQ(driver.Status()[0].channels[second].state, "resting");
  // At the peer, which never opened it, too.
  EXPECT_STREQ(pair_->server_host().driver().Status()[0].channels[second].state, "resting");
}

}  // namespace
}  // namespace netchannel::sim
