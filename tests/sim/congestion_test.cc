// SPDX-License-Identifier: Apache-2.0
//
// What congestion control does to the queue of a link, and to others on it.
#include <gtest/gtest.h>

#include "sim/pair.h"

namespace netchannel::sim {
namespace {

constexpr ByteCount kQueue = 1024 * 1024;

// The longest queue in steady state.
ByteCount QueueOf(transport::CongestionAlgorithm algorithm, ByteCount threshold) {
  PairOptions options = PairOptions::Over(1'000, Duration::Micros(100));
  options.host.congestion = algorithm;
  options.there.queue_limit = kQueue;
  options.there.ecn_threshold = threshold;
  Pair pair(options);
  pair.UploadForEver();
  pair.network().RunFor(Duration::Millis(200));
  ByteCount longest = 0;
  for (int i = 0; i < 5'000; ++i) {
    pair.network().RunFor(Duration::Micros(100));
    longest = std::max(longest, pair.there().queued());
  }
  return longest;
}

// The sender answers a mark one round trip after the queue has passed the threshold; until then
// DCTCP adds a packet a round trip, and paced bursts a few more: the threshold and what a round
// trip carries bound the queue.
TEST(Congestion, DctcpKeepsTheQueueAtTheThreshold) {
  constexpr ByteCount kThreshold = 40 * 1024;
  constexpr ByteCount kRoundTrip = 25'000;  // 200 us at 1 Gbit/s
  EXPECT_LE(QueueOf(transport::CongestionAlgorithm::kDctcp, kThreshold),
            kThreshold + 2 * kRoundTrip);
}

TEST(Congestion, CubicFillsTheQueueThatDctcpLeavesEmpty) {
  constexpr ByteCount kThreshold = 40 * 1024;
  const ByteCount dctcp = QueueOf(transport::CongestionAlgorithm::kDctcp, kThreshold);
  const ByteCount cubic = QueueOf(transport::CongestionAlgorithm::kCubic, 0);
  EXPECT_GT(cubic, 4 * dctcp);
}

TEST(Congestion, DctcpLosesNothingWhereEcnIsMarked) {
  PairOptions options = PairOptions::Over(1'000, Duration::Micros(100));
  options.host.congestion = transport::CongestionAlgorithm::kDctcp;
  options.there.queue_limit = kQueue;
  options.there.ecn_threshold = 40 * 1024;
  Pair pair(options);
  pair.UploadForEver();
  pair.network().RunFor(Duration::Millis(500));
  EXPECT_EQ(pair.there().stats().queue_drops, 0u);
  EXPECT_GT(pair.there().stats().ce_marks, 0u);
}

// Without marks DCTCP has to fall back to loss, and must not take more than its share of the queue
// for ever.
TEST(Congestion, DctcpWithoutMarksStillReactsToLoss) {
  PairOptions options = PairOptions::Over(1'000, Duration::Micros(100));
  options.host.congestion = transport::CongestionAlgorithm::kDctcp;
  Pair pair(options);
  const size_t stream = pair.UploadForEver();
  pair.network().RunFor(Duration::Millis(300));
  EXPECT_GE(pair.Goodput(stream, Duration::Millis(500)), 0.9 * pair.PayloadCapacity());
  const LinkStats& stats = pair.there().stats();
  EXPECT_LT(stats.queue_drops, stats.frames_in / 50);
}

// Two senders behind one bottleneck: neither gets less than a third of it.
TEST(Congestion, TwoSessionsShareABottleneck) {
  Network network(1);
  HostOptions host;
  host.ring_bytes = 4 << 20;
  for (int i = 0; i < 3; ++i) network.AddHost(host);
  LinkConfig fast, bottleneck;
  fast.rate = Bandwidth::BitsPerSecond(10'000'000'000);
  network.JoinByStar(fast, bottleneck);
  network.StartAll();
  Traffic traffic(&network);
  traffic.Serve(network.host(2));
  for (size_t i = 0; i < 2; ++i) {
    StreamPlan plan;
    plan.seed = i;
    plan.to_server = ByteCount{1} << 40;
    traffic.Open(network.host(i), network.host(2), plan);
  }
  network.RunFor(Duration::Seconds(1));
  ASSERT_NE(traffic.server(0), nullptr);
  ASSERT_NE(traffic.server(1), nullptr);
  const ByteCount before[] = {traffic.server(0)->read(), traffic.server(1)->read()};
  network.RunFor(Duration::Seconds(2));
  const ByteCount got[] = {traffic.server(0)->read() - before[0],
                           traffic.server(1)->read() - before[1]};
  EXPECT_GE(got[0] * 3, got[0] + got[1]) << network.Describe();
  EXPECT_GE(got[1] * 3, got[0] + got[1]) << network.Describe();
}

}  // namespace
}  // namespace netchannel::sim
