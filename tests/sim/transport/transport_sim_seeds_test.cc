// SPDX-License-Identifier: Apache-2.0
//
// Mixed faults by seed: whatever a path does, everything arrives, is known to have arrived, and the
// transfer ends. `transport_sim_test --seeds N [--first-seed S]`; a failure prints the line that
// reproduces it.
#include "transport_sim_seeds_test.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "sim/require.h"
#include "transport_sim_run.h"

namespace netchannel::sim {

SeedRange& Seeds() {
  static SeedRange range;
  return range;
}

namespace {

TransportLinkConfig RandomLink(SeededRng& rng) {
  TransportLinkConfig link;
  constexpr uint64_t kRates[] = {10'000'000, 100'000'000, 1'000'000'000, 10'000'000'000};
  link.rate = Bandwidth::BitsPerSecond(kRates[rng.Below(4)]);
  link.delay =
      Duration::Micros(static_cast<int64_t>(5 + rng.Below(rng.Chance(0.3) ? 20'000 : 200)));
  link.queue_limit = 20'000 + rng.Below(500'000);
  link.ecn_threshold = rng.Chance(0.5) ? link.queue_limit / 4 : 0;
  link.mtu = rng.Chance(0.3) ? 1200 + rng.Below(8000) : 65535;
  link.faults = Faults::FromSeed(rng.Next());
  return link;
}

TransportWorkload RandomWorkload(SeededRng& rng) {
  TransportWorkload work;
  work.streams = 1 + static_cast<uint32_t>(rng.Below(rng.Chance(0.3) ? 100 : 4));
  work.bytes_per_stream = 1 + rng.Below((rng.Chance(0.1) ? 8'000'000 : 400'000) / work.streams);
  work.write_bytes = 1 + static_cast<uint32_t>(rng.Below(rng.Chance(0.5) ? 200 : 40'000));
  work.backlog = 1 + rng.Below(200'000);
  work.controls = static_cast<uint32_t>(rng.Below(50));
  work.with_open = rng.Chance(0.3);
  return work;
}

TransportScenario RandomScenario(uint64_t seed) {
  SeededRng rng(seed);
  TransportScenario s;
  s.seed = seed;
  s.forward = RandomLink(rng);
  s.backward = RandomLink(rng);
  s.client = RandomWorkload(rng);
  s.server = rng.Chance(0.5) ? RandomWorkload(rng) : TransportWorkload{};
  constexpr ByteCount kSizes[] = {1200, 1472, 8972, 60000};
  s.connection.max_packet_size = kSizes[rng.Below(4)];
  s.connection.max_packets_in_flight = 4 + static_cast<uint32_t>(rng.Below(1000));
  s.connection.max_queued_segments = 4 + static_cast<uint32_t>(rng.Below(1000));
  s.connection.congestion = static_cast<transport::CongestionAlgorithm>(rng.Below(2));
  s.connection.pacing = rng.Chance(0.8);
  if (rng.Chance(0.5)) s.stall = {.every = Duration::Millis(30), .length = Duration::Millis(10)};
  s.limit = Duration::Seconds(120);
  return s;
}

TEST(TransportSeedsTest, EverythingArrivesWhateverThePathDoes) {
  for (uint64_t seed = Seeds().first; seed < Seeds().first + Seeds().count; ++seed) {
    ReproduceLine() =
        "reproduce with: transport_sim_test --seeds 1 --first-seed " + std::to_string(seed);
    TransportRun run(RandomScenario(seed));
    ASSERT_TRUE(run.Run()) << ReproduceLine()
                           << "\nforward: " << RandomScenario(seed).forward.faults.ToString();
    ASSERT_EQ(run.client().connection().bytes_in_flight() > 0, false) << ReproduceLine();
  }
}

TEST(TransportSeedsTest, TheSameSeedIsTheSameRun) {
  const auto trace = [](uint64_t seed) {
    TransportRun run(RandomScenario(seed));
    run.Run();
    return std::pair(run.elapsed(), run.client().connection().stats().packets_sent);
  };
  EXPECT_EQ(trace(7), trace(7));
  EXPECT_NE(trace(7), trace(8));
}

}  // namespace
}  // namespace netchannel::sim
