// SPDX-License-Identifier: Apache-2.0
//
// How much of a link one socket gets, with and without faults. Bounds are shares of what the link
// can carry as payload; the shares are those that the project promises.
#include <gtest/gtest.h>

#include "sim/pair.h"

namespace netchannel::sim {
namespace {

constexpr Duration kWarmUp = Duration::Millis(300);
constexpr Duration kMeasured = Duration::Millis(500);

double ShareOf(const PairOptions& options) {
  Pair pair(options);
  const size_t stream = pair.UploadForEver();
  // The same number of round trips is reached in less time on a faster link.
  const bool fast = options.there.rate > Bandwidth::BitsPerSecond(1'000'000'000);
  pair.network().RunFor(fast ? kWarmUp / 3 : kWarmUp);
  const double share =
      pair.Goodput(stream, fast ? kMeasured / 4 : kMeasured) / pair.PayloadCapacity();
  if (testing::Test::HasFailure() || share < 0.95)
    std::printf("%s", pair.network().Describe().c_str());
  return share;
}

struct Path {
  uint64_t megabits;
  int64_t one_way_us;
  uint32_t mtu;
};
void PrintTo(const Path& path, std::ostream* out) {
  *out << path.megabits << " Mbit/s, " << path.one_way_us << " us, MTU " << path.mtu;
}

class GoodputOver : public testing::TestWithParam<Path> {
 protected:
  PairOptions Options() const {
    return PairOptions::Over(GetParam().megabits, Duration::Micros(GetParam().one_way_us),
                             GetParam().mtu);
  }
};
INSTANTIATE_TEST_SUITE_P(Paths, GoodputOver,
                         testing::Values(Path{1'000, 100, 1500}, Path{1'000, 20, 1500},
                                         Path{10'000, 25, 1500}, Path{10'000, 25, 3484}));

TEST_P(GoodputOver, WithoutLossTheLinkIsFull) { EXPECT_GE(ShareOf(Options()), 0.95); }

TEST_P(GoodputOver, DctcpFillsItToo) {
  PairOptions options = Options();
  options.host.congestion = transport::CongestionAlgorithm::kDctcp;
  // RFC 8257 section 4.2: at least a seventh of the bandwidth-delay product, and room for a burst.
  options.there.ecn_threshold = 64 * 1024;
  EXPECT_GE(ShareOf(options), 0.95);
}

TEST_P(GoodputOver, WithOneLossInAThousandFourFifthsRemain) {
  PairOptions options = Options();
  options.there.faults.loss = 0.001;
  EXPECT_GE(ShareOf(options), 0.80);
}

TEST_P(GoodputOver, WithLatePacketsOfFiveMillisecondsFourFifthsRemain) {
  PairOptions options = Options();
  options.there.faults.reorder = 0.01;
  // The bytes that arrive while a late one is waited for have to lie somewhere: 6 MB at 10 Gbit/s.
  options.host.ring_bytes = 16 << 20;
  options.there.faults.reorder_delay = Duration::Millis(5);
  EXPECT_GE(ShareOf(options), 0.80);
}

TEST(Goodput, WithJitterOfFiveMillisecondsOnEveryPacketFourFifthsRemain) {
  PairOptions options = PairOptions::Over(1'000, Duration::Micros(100));
  options.there.faults.reorder = 1;
  options.there.faults.reorder_delay = Duration::Millis(5);
  EXPECT_GE(ShareOf(options), 0.80);
}

TEST(Goodput, IsFullOverIpv6) {
  PairOptions options = PairOptions::Over(1'000, Duration::Micros(100));
  options.ipv6 = true;
  EXPECT_GE(ShareOf(options), 0.95);
}

TEST(Goodput, IsFullBetweenContinents) {
  PairOptions options = PairOptions::Over(100, Duration::Millis(50));
  options.there.queue_limit = 1250 * 1024;  // a bandwidth-delay product
  Pair pair(options);
  const size_t stream = pair.UploadForEver();
  pair.network().RunFor(Duration::Seconds(10));
  EXPECT_GE(pair.Goodput(stream, Duration::Seconds(10)), 0.95 * pair.PayloadCapacity());
}

class Channels : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(OneToSixteen, Channels, testing::Values(1, 2, 4, 8));

// n of each class are 2 n channels a session.
TEST_P(Channels, AreAllUsedAndFillTheLink) {
  PairOptions options = PairOptions::Over(1'000, Duration::Micros(100));
  options.host.queues = 2;
  options.host.channels_per_class = static_cast<uint8_t>(GetParam());
  Pair pair(options);
  const size_t bulk = pair.UploadForEver();
  pair.Upload(10'000'000, AppClass::kLatency);
  pair.network().RunFor(kWarmUp);
  EXPECT_GE(pair.Goodput(bulk, kMeasured), 0.95 * pair.PayloadCapacity());
  const auto sessions = pair.client_host().driver().Status();
  ASSERT_EQ(sessions.size(), 1u);
  ASSERT_EQ(sessions[0].channels.size(), static_cast<size_t>(2 * GetParam()));
  for (const ChannelStatus& channel : sessions[0].channels) {
    EXPECT_GT(channel.stats.packets_sent, 0u) << static_cast<int>(channel.index);
  }
}

}  // namespace
}  // namespace netchannel::sim
