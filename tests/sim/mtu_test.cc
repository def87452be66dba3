// SPDX-License-Identifier: Apache-2.0
//
// Path MTU: found by probing (RFC 8899) where the path carries less than the interfaces do, and
// found again when the path changes.
#include <gtest/gtest.h>

#include "sim/pair.h"

namespace netchannel::sim {
namespace {

ByteCount PacketSize(SimHost& host) {
  for (const SessionStatus& session : host.driver().Status()) {
    for (const ChannelStatus& channel : session.channels) {
      if (channel.app_class == AppClass::kThroughput) return channel.packet_size;
    }
  }
  return 0;
}

PairOptions Narrow(uint32_t interface, uint32_t path) {
  PairOptions options = PairOptions::Over(1'000, Duration::Micros(100), interface);
  options.there.mtu = options.back.mtu = path;
  return options;
}

TEST(Mtu, ProbingReachesTheInterfacesMtu) {
  for (const uint32_t mtu : {1500u, 3484u, 9000u}) {
    Pair pair(PairOptions::Over(1'000, Duration::Micros(100), mtu));
    pair.UploadForEver();
    pair.network().RunFor(Duration::Millis(300));
    EXPECT_EQ(PacketSize(pair.client_host()), mtu - 28);
  }
}

TEST(Mtu, APathThatCarriesLessThanTheInterfacesStillWorks) {
  Pair pair(Narrow(9000, 1500));
  pair.Upload(3'000'000);
  EXPECT_TRUE(pair.network().RunUntil([&] { return pair.traffic().Done(); }, Duration::Seconds(2)))
      << pair.network().Describe();
  pair.ExpectLawful();
  EXPECT_LE(PacketSize(pair.client_host()), 1472u);
}

TEST(Mtu, OnANarrowPathGoodputIsThatOfItsMtu) {
  Pair pair(Narrow(9000, 4000));
  const size_t stream = pair.UploadForEver();
  pair.network().RunFor(Duration::Seconds(1));
  // Whatever the search ends on between 1500 and 4000, it carries nine tenths of the link.
  EXPECT_GE(pair.Goodput(stream, Duration::Seconds(1)), 0.9 * pair.PayloadCapacity())
      << pair.network().Describe();
  EXPECT_LE(PacketSize(pair.client_host()), 4000u - 28);
  EXPECT_GE(PacketSize(pair.client_host()), 3500u - 28);
}

TEST(Mtu, APathThatBecomesNarrowDoesNotSwallowTheTransfer) {
  Pair pair(PairOptions::Over(1'000, Duration::Micros(100), 9000));
  const size_t stream = pair.Upload(30'000'000);
  pair.network().RunFor(Duration::Millis(100));
  ASSERT_GT(PacketSize(pair.client_host()), 1472u);
  ASSERT_FALSE(pair.traffic().client(stream).done());
  pair.there().set_mtu(1500);
  pair.back().set_mtu(1500);
  EXPECT_TRUE(pair.network().RunUntil([&] { return pair.traffic().Done(); }, Duration::Seconds(10)))
      << pair.network().Describe();
  pair.ExpectLawful();
}

TEST(Mtu, BothEndsUseTheSmallerOfTheirInterfaces) {
  Network network(1);
  HostOptions wide, narrow;
  wide.mtu = 9000;
  network.AddHost(wide);
  network.AddHost(narrow);
  LinkConfig link;
  link.mtu = 9000;  // what is too large for the narrow host would reach it
  network.Join(link, link);
  network.StartAll();
  Traffic traffic(&network);
  traffic.Serve(network.host(1));
  StreamPlan plan;
  plan.to_server = plan.to_client = 3'000'000;
  traffic.Open(network.host(0), network.host(1), plan);
  EXPECT_TRUE(network.RunUntil([&] { return traffic.Done(); }, Duration::Seconds(2)))
      << network.Describe();
  EXPECT_EQ(PacketSize(network.host(0)), 1472u);
  EXPECT_EQ(PacketSize(network.host(1)), 1472u);
}

}  // namespace
}  // namespace netchannel::sim
