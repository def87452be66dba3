// SPDX-License-Identifier: Apache-2.0
//
// Many hosts on one: a thousand sessions through a switch, and many sockets in one session.
#include <gtest/gtest.h>

#include "sim/pair.h"

namespace netchannel::sim {
namespace {

constexpr size_t kClients = 1'000;

HostOptions Small() {
  HostOptions host;
  host.ring_bytes = 64 * 1024;
  host.max_sockets = 4;
  host.max_sessions = 4;
  return host;
}

HostOptions Hub() {
  HostOptions host = Small();
  host.max_sockets = kClients + 8;
  host.max_sessions = kClients + 8;
  host.lane.rx_capacity = 4096;
  return host;
}

class ManySessions : public testing::Test {
 protected:
  ManySessions() : network_(1), traffic_(&network_) {
    network_.AddHost(Hub());
    for (size_t i = 0; i < kClients; ++i) network_.AddHost(Small());
    LinkConfig link;
    link.rate = Bandwidth::BitsPerSecond(10'000'000'000);
    link.queue_limit = 1 << 20;
    network_.JoinByStar(link, link);
    network_.StartAll();
  }

  static StreamPlan Plan(size_t i) {
    StreamPlan plan;
    plan.seed = i;
    plan.to_server = 2'000 + i;
    plan.to_client = 5'000 + i;
    return plan;
  }
  void ExpectAllDone() {
    EXPECT_TRUE(network_.RunUntil([&] { return traffic_.Done(); }, Duration::Seconds(20)))
        << traffic_.DescribeUnfinished();
    for (const std::string& wrong : traffic_.Judge()) ADD_FAILURE() << wrong;
  }

  Network network_;
  Traffic traffic_;
};

TEST_F(ManySessions, AThousandClientsAreServedByOneStack) {
  traffic_.Serve(network_.host(0));
  for (size_t i = 1; i <= kClients; ++i) traffic_.Open(network_.host(i), network_.host(0), Plan(i));
  network_.RunUntil([&] { return traffic_.Done(); }, Duration::Seconds(20));
  EXPECT_EQ(network_.host(0).driver().session_count(), kClients);
  ExpectAllDone();
}

TEST_F(ManySessions, OneStackOpensAThousandSessions) {
  for (size_t i = 1; i <= kClients; ++i) {
    traffic_.Serve(network_.host(i));
    traffic_.Open(network_.host(0), network_.host(i), Plan(i));
  }
  ExpectAllDone();
}

TEST(ManySockets, AThousandStreamsShareASession) {
  PairOptions options = PairOptions::Over(1'000, Duration::Micros(100));
  options.host.ring_bytes = 16 * 1024;
  options.host.max_sockets = 1'100;
  Pair pair(options);
  for (size_t i = 0; i < 1'000; ++i) {
    StreamPlan plan;
    plan.seed = i;
    plan.app_class = i % 2 == 0 ? AppClass::kThroughput : AppClass::kLatency;
    plan.to_server = 20'000;
    plan.to_client = 1'000;
    pair.traffic().Open(pair.client_host(), pair.server_host(), plan);
  }
  // 22 MB at 1 Gbit/s are 180 ms; twice that leaves room for slow start.
  EXPECT_TRUE(pair.network().RunUntil([&] { return pair.traffic().Done(); }, Duration::Millis(500)))
      << pair.network().Describe();
  pair.ExpectLawful();
  EXPECT_EQ(pair.client_host().driver().session_count(), 1u);
}

}  // namespace
}  // namespace netchannel::sim
