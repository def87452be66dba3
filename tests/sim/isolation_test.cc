// SPDX-License-Identifier: Apache-2.0
//
// What one socket may do to the others of its channel: nothing.
#include <gtest/gtest.h>

#include "sim/pair.h"

namespace netchannel::sim {
namespace {

PairOptions Options() {
  PairOptions options = PairOptions::Over(1'000, Duration::Micros(100));
  options.host.ring_bytes = 1 << 20;
  return options;
}

// With one channel a class, all of these sockets share one.
TEST(Isolation, AReaderThatStopsDoesNotSlowTheOthers) {
  Pair pair(Options());
  std::vector<size_t> streams;
  for (int i = 0; i < 4; ++i) streams.push_back(pair.UploadForEver());
  pair.network().RunFor(Duration::Millis(300));
  pair.traffic().server(streams[0])->set_paused(true);
  pair.network().RunFor(Duration::Millis(100));
  double others = 0;
  std::vector<ByteCount> before;
  for (const size_t stream : streams) before.push_back(pair.Received(stream));
  pair.network().RunFor(Duration::Millis(500));
  for (size_t i = 1; i < streams.size(); ++i) {
    others += static_cast<double>(pair.Received(streams[i]) - before[i]) / 0.5;
  }
  EXPECT_EQ(pair.Received(streams[0]), before[0]);
  EXPECT_GE(others, 0.95 * pair.PayloadCapacity()) << pair.network().Describe();
}

TEST(Isolation, AReaderThatReadsAgainGetsEverything) {
  Pair pair(Options());
  const size_t stopped = pair.Upload(5'000'000), other = pair.Upload(5'000'000);
  pair.network().RunFor(Duration::Millis(10));
  pair.traffic().server(stopped)->set_paused(true);
  ASSERT_TRUE(pair.network().RunUntil([&] { return pair.traffic().server(other)->done(); },
                                      Duration::Seconds(1)));
  EXPECT_FALSE(pair.traffic().server(stopped)->done());
  pair.traffic().server(stopped)->set_paused(false);
  EXPECT_TRUE(pair.network().RunUntil([&] { return pair.traffic().Done(); }, Duration::Seconds(1)));
  pair.ExpectLawful();
}

TEST(Isolation, SocketsOfOneClassShareFairly) {
  Pair pair(Options());
  std::vector<size_t> streams;
  for (int i = 0; i < 4; ++i) streams.push_back(pair.UploadForEver());
  pair.network().RunFor(Duration::Millis(300));
  std::vector<ByteCount> before;
  for (const size_t stream : streams) before.push_back(pair.Received(stream));
  pair.network().RunFor(Duration::Seconds(1));
  for (size_t i = 0; i < streams.size(); ++i) {
    const double share =
        static_cast<double>(pair.Received(streams[i]) - before[i]) / pair.PayloadCapacity();
    EXPECT_NEAR(share, 0.25, 0.05) << i;
  }
}

// A request and its answer of 64 bytes beside bulk flows: the queue at the bottleneck is not ours,
// so the bulk flows run over DCTCP, which keeps it at 40 KiB = 330 us. The rest is the stack's own
// queueing.
TEST(Isolation, ALatencyRequestDoesNotWaitForBulkInTheStack) {
  PairOptions options = Options();
  options.host.congestion = transport::CongestionAlgorithm::kDctcp;
  options.there.ecn_threshold = 40 * 1024;
  Pair pair(options);
  for (int i = 0; i < 4; ++i) pair.UploadForEver();
  pair.network().RunFor(Duration::Millis(200));
  for (int i = 0; i < 50; ++i) {
    StreamPlan plan;
    plan.seed = static_cast<uint64_t>(1000 + i);
    plan.app_class = AppClass::kLatency;
    plan.to_server = plan.to_client = 64;
    const Time start = pair.network().now();
    Endpoint& request = pair.traffic().Open(pair.client_host(), pair.server_host(), plan);
    ASSERT_TRUE(pair.network().RunUntil([&] { return request.done(); }, Duration::Millis(20)));
    EXPECT_LE(request.done_at() - start, Duration::Millis(2)) << i;
    pair.network().RunFor(Duration::Micros(777));
  }
}

}  // namespace
}  // namespace netchannel::sim
