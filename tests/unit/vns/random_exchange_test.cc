// SPDX-License-Identifier: Apache-2.0
//
// Whole connections under every fault at once, by seed.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fake_network.h"

namespace netchannel {
namespace {

struct Flow {
  FakeHost* from;
  FakeHost* to;
  SocketId out, in;
  std::string bytes;
  size_t written = 0;
  std::string got = {};
  bool shut = false;

  bool done() const { return got.size() == bytes.size() && to->AtEnd(in); }
  void Step(FakeNetwork& net) {
    if (written < bytes.size()) {
      written +=
          from->Write(net.now, out, std::string_view(bytes).substr(written, net.rng.Below(9000)));
    } else if (!shut) {
      shut = from->layer->Shutdown(net.now, out, SocketLayer::Direction::kWrite) == 0;
    }
    if (net.rng.Chance(0.3)) got += to->Read(net.now, in, net.rng.Below(20000));
  }
};

class RandomExchangeTest : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomExchangeTest, EveryByteArrivesOnceAndInOrderAndAllMemoryReturns) {
  const uint64_t seed = GetParam();
  FakeNetwork net({.seed = seed,
                   .faults = {.reorder = 0.4, .duplicate = 0.1, .loss = 0.15},
                   .packet_bytes = 200 + seed * 37 % 1200});
  net.a.port.SetChannels(1 + static_cast<int>(seed % 4), static_cast<int>(seed % 3));
  net.b.port.SetChannels(1 + static_cast<int>(seed % 3), 1);
  const auto pair = net.Connected();
  const SocketId second = net.a.Connect(net.now, net.server_endpoint());
  net.Run();
  const SocketId second_server = *net.b.Accept(pair.listener);
  std::vector<Flow> flows = {
      {&net.a, &net.b, pair.client, pair.server, Pattern(80000, seed)},
      {&net.b, &net.a, pair.server, pair.client, Pattern(50000, seed * 3)},
      {&net.a, &net.b, second, second_server, Pattern(30000, seed * 5)},
      {&net.b, &net.a, second_server, second, ""},
  };
  bool all_done = false;
  for (int i = 0; i < 200000 && !all_done; ++i) {
    all_done = true;
    for (Flow& flow : flows) {
      flow.Step(net);
      all_done = all_done && flow.done();
    }
    net.Round();
  }
  ASSERT_TRUE(all_done);
  for (const Flow& flow : flows) ASSERT_EQ(flow.got, flow.bytes);
  net.a.Close(net.now, pair.client);
  net.a.Close(net.now, second);
  net.b.Close(net.now, pair.server);
  net.b.Close(net.now, second_server);
  net.b.Close(net.now, pair.listener);
  net.Run();
  for (FakeHost* host : {&net.a, &net.b}) {
    EXPECT_EQ(host->layer->Stats().sockets, 0u);
    EXPECT_EQ(host->layer->Stats().violations, 0u);
    EXPECT_EQ(host->streams.in_use(), 0u);
    EXPECT_EQ(host->pool.in_use(), 0u);
    EXPECT_EQ(host->port.references, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomExchangeTest, testing::Range<uint64_t>(1, 41));

}  // namespace
}  // namespace netchannel
