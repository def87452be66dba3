// SPDX-License-Identifier: Apache-2.0
// Packets through real AF_XDP sockets: sizes, lanes, queues, rebuilds.
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>

#include "device_fixture.h"

namespace netchannel::test {
namespace {

constexpr uint32_t kPackets = 100'000;
constexpr uint32_t kBatch = 8;
// Packets on their way: less than the 256 of the veth's ring, so that none is lost.
constexpr uint32_t kWindow = 32;
constexpr int kPatienceMs = 5000;

class XdpTrafficTest : public LiveTest, public testing::WithParamInterface<int> {};

size_t LengthOf(uint32_t sequence, size_t longest) {
  return kMinFrame + sequence * 7919ull % (longest - kMinFrame + 1);
}

// Returns how many were sent.
uint32_t SendBatch(Lane* lane, const Traffic& traffic, uint32_t first, uint32_t count,
                   size_t longest) {
  uint32_t sent = 0;
  while (sent < count && traffic.Send(lane, first + sent, LengthOf(first + sent, longest))) ++sent;
  while (!lane->Flush()) {
  }
  return sent;
}

TEST_P(XdpTrafficTest, FramesOfEverySizeArriveOnceInOrderAndIntact) {
  const size_t longest = static_cast<size_t>(GetParam()) + 14;
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(GetParam()));
  const auto a = MustOpen(kA, Config({{0}}));
  const auto b = MustOpen(kB, Config({{0}}));
  ASSERT_TRUE(a && b);
  const Traffic traffic = ToLane(0);
  uint32_t sent = 0;
  uint32_t received = 0;
  while (received < kPackets) {
    const uint32_t room = std::min(kWindow - (sent - received), kPackets - sent);
    sent += SendBatch(a->lanes()[0], traffic, sent, std::min(room, kBatch), longest);
    const bool wait = sent == kPackets || sent - received == kWindow;
    const auto arrivals = ReceiveAll(b->lanes()[0], traffic, kBatch, wait ? kPatienceMs : 0);
    ASSERT_TRUE(!wait || !arrivals.empty()) << "packet " << received << " was lost";
    for (const Traffic::Arrival& arrival : arrivals) {
      ASSERT_TRUE(arrival.intact) << "packet " << arrival.sequence;
      ASSERT_EQ(arrival.sequence, received++);
    }
  }
  const LaneStats stats = b->xdp_lanes()[0]->ReadStats();
  EXPECT_EQ(stats.rx_packets, kPackets);
  EXPECT_EQ(stats.handed_over, 0u);
  EXPECT_EQ(stats.rx_dropped + stats.rx_ring_full + stats.rx_too_long, 0u);
  EXPECT_EQ(a->xdp_lanes()[0]->ReadStats().tx_packets, kPackets);
  EXPECT_EQ((*b->ReadVerdicts())[NC_STEERED], kPackets);
  EXPECT_EQ(b->borrowed_chunks(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Mtu, XdpTrafficTest, testing::Values(1500, 3484, 9000, 65535),
                         [](const auto& mtu) { return std::to_string(mtu.param); });

// No new descriptor for this process while it lives.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none = {0, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

class XdpLanesTest : public LiveTest {
 protected:
  // Sends `count` packets of the MTU over lane 0 of `device`, a few at a time.
  static void SendTo(XdpDevice* device, const Traffic& traffic, uint32_t count) {
    Lane* lane = device->lanes()[0];
    for (uint32_t sent = 0; sent < count;) {
      sent += SendBatch(lane, traffic, sent, std::min(kBatch, count - sent), 1514);
    }
  }
};

TEST_F(XdpLanesTest, LanesOfOneQueueEachGetTheirPackets) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto a = MustOpen(kA, Config({{0}}));
  const auto b = MustOpen(kB, Config({{0, AppClass::kLatency}, {0, AppClass::kThroughput}}));
  ASSERT_TRUE(a && b);
  for (const int lane : {1, 0}) {
    SendTo(a.get(), ToLane(lane), 10);
    EXPECT_EQ(
        ReceiveAll(b->lanes()[static_cast<size_t>(lane)], ToLane(lane), 10, kPatienceMs).size(),
        10u)
        << "lane " << lane;
  }
  for (const auto& lane : b->xdp_lanes()) EXPECT_EQ(lane->ReadStats().handed_over, 0u);
  EXPECT_EQ((*b->ReadVerdicts())[NC_STEERED], 20u);
}

TEST_F(XdpLanesTest, LanesOfOneQueueSendBothWithTheirOwnBuffers) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto a = MustOpen(kA, Config({{0, AppClass::kLatency}, {0, AppClass::kThroughput}}));
  const auto b = MustOpen(kB, Config({{0}}));
  ASSERT_TRUE(a && b);
  const Traffic traffic = ToLane(0);
  // More than a lane's slots, so completions must have found their way home.
  for (uint32_t sent = 0; sent < 2000;) {
    for (Lane* lane : a->lanes()) {
      ASSERT_EQ(SendBatch(lane, traffic, sent, kBatch, 1514), kBatch);
      sent += kBatch;
      EXPECT_EQ(ReceiveAll(b->lanes()[0], traffic, kBatch, kPatienceMs).size(), kBatch);
    }
  }
  for (const auto& lane : a->xdp_lanes()) {
    lane->Flush();
    EXPECT_EQ(lane->in_flight(), 0u);
    EXPECT_EQ(lane->tx_pool().free(), lane->tx_pool().slots());
  }
}

TEST_F(XdpLanesTest, LaneThatNobodyReadsDoesNotStarveItsNeighbour) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto a = MustOpen(kA, Config({{0}}));
  const auto b = MustOpen(kB, Config({{0, AppClass::kLatency}, {0, AppClass::kThroughput}}));
  ASSERT_TRUE(a && b);
  SendTo(a.get(), ToLane(1), 5000);
  // The fill ring is topped up when the reader of either lane comes by, as it does all the time.
  EXPECT_TRUE(ReceiveAll(b->lanes()[0], ToLane(0), 1, 0).empty());
  SendTo(a.get(), ToLane(1), 5000);
  SendTo(a.get(), ToLane(0), 100);
  EXPECT_EQ(ReceiveAll(b->lanes()[0], ToLane(0), 100, kPatienceMs).size(), 100u);
  EXPECT_EQ(b->xdp_lanes()[1]->ReadStats().rx_ring_full, 5000u);
}

TEST_F(XdpLanesTest, EachQueueHasItsLane) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto a = MustOpen(kA, Config({{1}}));
  const auto b = MustOpen(kB, Config({{0}, {1}}));
  ASSERT_TRUE(a && b);
  SendTo(a.get(), ToLane(1), 10);
  EXPECT_EQ(ReceiveAll(b->lanes()[1], ToLane(1), 10, kPatienceMs).size(), 10u);
  EXPECT_EQ((*b->ReadVerdicts())[NC_STEERED], 10u);
}

TEST_F(XdpLanesTest, PacketOnAnotherQueueIsHandedOverByThatQueuesHomeLane) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto a = MustOpen(kA, Config({{0}}));
  const auto b = MustOpen(kB, Config({{0}, {1}}));
  ASSERT_TRUE(a && b);
  SendTo(a.get(), ToLane(1), 10);
  const auto arrivals = ReceiveAll(b->lanes()[0], ToLane(1), 10, kPatienceMs);
  ASSERT_EQ(arrivals.size(), 10u);
  for (const auto& arrival : arrivals) EXPECT_TRUE(arrival.intact);
  EXPECT_EQ(b->xdp_lanes()[0]->ReadStats().handed_over, 10u);
  EXPECT_EQ((*b->ReadVerdicts())[NC_STEERED_HOME], 10u);
}

TEST_F(XdpLanesTest, BorrowedPacketsSurviveARebuildAndTrafficGoesOn) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto a = MustOpen(kA, Config({{0}, {1}}));
  const auto b = MustOpen(kB, Config({{0}, {0}, {1}}));
  ASSERT_TRUE(a && b);
  const Traffic traffic = ToLane(0);
  SendTo(a.get(), traffic, 1);
  std::array<RxPacket, 1> held;
  ASSERT_EQ(b->lanes()[0]->Receive(absl::MakeSpan(held)), 1u);
  for (const auto& [device, end] : {std::pair(a.get(), kA), std::pair(b.get(), kB)}) {
    const InNamespace inside(*pair_, end);
    ASSERT_TRUE(device->Rebuild().ok());
  }
  EXPECT_TRUE(traffic.Check(held[0]).intact);
  EXPECT_EQ(b->borrowed_chunks(), 1u);
  b->lanes()[0]->Release(held);
  EXPECT_EQ(b->borrowed_chunks(), 0u);
  SendTo(a.get(), traffic, 1000);
  const auto arrivals = ReceiveAll(b->lanes()[0], traffic, 1000, kPatienceMs);
  EXPECT_EQ(arrivals.size(), 1000u);
  EXPECT_EQ(b->status().rebuilds, 1u);
}

TEST_F(XdpLanesTest, ReservingTwiceGivesTheSameBuffer) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(9000));
  const auto a = MustOpen(kA, Config({{0}}));
  ASSERT_TRUE(a);
  const auto first = a->lanes()[0]->Reserve();
  EXPECT_GE(first.size(), 9000u + 22u);
  EXPECT_EQ(a->lanes()[0]->Reserve().data(), first.data());
}

TEST_F(XdpLanesTest, AllBuffersComeBackFromAPeerThatReceivesNothing) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto a = MustOpen(kA, Config({{0}}));
  ASSERT_TRUE(a);
  SendTo(a.get(), ToLane(0), 5000);  // far more than there are slots
  Lane* lane = a->lanes()[0];
  for (int i = 0; i < 1000 && lane->in_flight() > 0; ++i) {
    poll(nullptr, 0, 1);
    lane->Flush();
  }
  EXPECT_EQ(lane->in_flight(), 0u);
}

// The thread has the kernel send after Flush has looked for completions, and an idle stack does not
// flush again.
TEST_F(XdpLanesTest, WhatAChannelThreadSentBeforeTheStackFellIdleIsNoStall) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  auto config = Config({{.queue = 0, .app_class = AppClass::kThroughput}});
  config.channel_threads = 1;
  config.stall_limit = Duration::Millis(1);
  const auto a = MustOpen(kA, config);
  const auto b = MustOpen(kB, Config({{0}}));
  ASSERT_TRUE(a && b);
  const Traffic traffic = ToLane(0);
  int ms = 0;
  // The thread may be quicker than Flush, which then sees the completion: one time of three is not.
  for (uint32_t packet = 0; packet < 30; ++packet) {
    ASSERT_TRUE(traffic.Send(a->lanes()[0], packet, kMinFrame));
    a->lanes()[0]->Flush();
    ASSERT_EQ(ReceiveAll(b->lanes()[0], traffic, 1, kPatienceMs).size(), 1u);
    for (int look = 0; look < 3; ++look) {
      const auto rebuilt = a->Supervise(Time::FromNanos(++ms * 1'000'000));
      ASSERT_TRUE(rebuilt.ok()) << rebuilt.status();
      ASSERT_FALSE(*rebuilt) << "packet " << packet;
    }
    EXPECT_EQ(a->lanes()[0]->in_flight(), 0u);
  }
}

// What is submitted and never flushed does not complete.
TEST_F(XdpLanesTest, ADeviceWhoseCompletionsStopIsRebuiltOnceAndGoesOn) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  auto config = Config({{0}});
  config.stall_limit = Duration::Millis(10);
  const auto a = MustOpen(kA, config);
  const auto b = MustOpen(kB, Config({{0}}));
  ASSERT_TRUE(a && b);
  const Traffic traffic = ToLane(0);
  ASSERT_TRUE(traffic.Send(a->lanes()[0], 0, kMinFrame));
  const InNamespace inside(*pair_, kA);
  const auto supervise = [&](int ms) {
    const auto rebuilt = a->Supervise(Time::FromNanos(ms * 1'000'000));
    EXPECT_TRUE(rebuilt.ok()) << rebuilt.status();
    return rebuilt.value_or(false);
  };
  for (const int ms : {1, 9}) EXPECT_FALSE(supervise(ms)) << ms;
  EXPECT_TRUE(supervise(11));
  EXPECT_EQ(a->status().rebuilds, 1u);
  EXPECT_EQ(a->lanes()[0]->in_flight(), 0u);
  for (const int ms : {12, 100}) EXPECT_FALSE(supervise(ms)) << ms;
  SendTo(a.get(), traffic, 100);
  EXPECT_EQ(ReceiveAll(b->lanes()[0], traffic, 100, kPatienceMs).size(), 100u);
}

TEST_F(XdpLanesTest, ARebuildThatFailsLeavesSilenceAndIsTriedAgain) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto a = MustOpen(kA, Config({{0}}));
  const auto b = MustOpen(kB, Config({{0}}));
  ASSERT_TRUE(a && b);
  const Traffic traffic = ToLane(0);
  ASSERT_TRUE(traffic.Send(a->lanes()[0], 0, kMinFrame));
  const InNamespace inside(*pair_, kA);
  {
    const NoMoreDescriptors starved;
    EXPECT_FALSE(a->Rebuild().ok());
  }
  EXPECT_NE(a->status().rebuild_failure, "");
  Lane* const lane = a->lanes()[0];
  std::array<RxPacket, 1> packets;
  EXPECT_EQ(lane->Receive(absl::MakeSpan(packets)), 0u);
  EXPECT_TRUE(lane->Reserve().empty());
  lane->Submit(kMinFrame);
  lane->Flush();
  EXPECT_EQ(lane->wait_fd(), -1);
  EXPECT_EQ(lane->in_flight(), 0u);
  const auto again = a->Supervise(Time::FromNanos(1'000'000));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(*again);
  EXPECT_EQ(a->status().rebuild_failure, "");
  EXPECT_EQ(a->status().rebuilds, 1u);
  SendTo(a.get(), traffic, 100);
  EXPECT_EQ(ReceiveAll(b->lanes()[0], traffic, 100, kPatienceMs).size(), 100u);
}

TEST_F(XdpLanesTest, InterfaceThatIsDownIsNoStall) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  auto config = Config({{0}});
  config.stall_limit = Duration::Millis(1);
  const auto a = MustOpen(kA, config);
  ASSERT_TRUE(a);
  ASSERT_EQ(pair_->RunIn(kA, "ip link set ncx0 down").status, 0);
  const Traffic traffic = ToLane(0);
  ASSERT_TRUE(traffic.Send(a->lanes()[0], 0, kMinFrame));
  EXPECT_FALSE(a->lanes()[0]->Flush());
  const InNamespace inside(*pair_, kA);
  for (int ms = 0; ms < 5; ++ms) {
    const auto rebuilt = a->Supervise(Time::FromNanos(ms * 1'000'000));
    ASSERT_TRUE(rebuilt.ok()) << rebuilt.status();
    EXPECT_FALSE(*rebuilt);
  }
  EXPECT_GT(a->xdp_lanes()[0]->ReadStats().tx_errors, 0u);
}

}  // namespace
}  // namespace netchannel::test
