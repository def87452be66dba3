// SPDX-License-Identifier: Apache-2.0
// Receiving, with the test in the kernel's place: it takes chunks from the fill ring and puts
// descriptors into the RX ring.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "netdriver/xdp/xdp_lane.h"

namespace netchannel::xdp {
namespace {

constexpr uint32_t kRing = 32;

// The memory of one ring, as the kernel lays it out for the library's helpers.
template <typename Entry>
struct RingMemory {
  uint32_t producer = 0;
  uint32_t consumer = 0;
  uint32_t flags = 0;
  std::array<Entry, kRing> entries{};

  template <typename Ring>
  void MapInto(Ring* ring) {
    ring->mask = kRing - 1;
    ring->size = kRing;
    ring->producer = &producer;
    ring->consumer = &consumer;
    ring->flags = &flags;
    ring->ring = entries.data();
  }
};

class XdpLaneReceiveTest : public testing::Test {
 protected:
  XdpLaneReceiveTest()
      : area_(kRing * kChunkSize), port_(0, 0, kRing), lane_({}, 9000, Area(), &port_, 0, {}) {
    fill_.MapInto(port_.fill_ring());
    port_.fill_ring()->cached_cons = kRing;  // as libxdp does for a producer ring
    completion_.MapInto(port_.completion_ring());
    rx_.MapInto(&xsk_.rx);
    port_.Start();
    lane_.Attach(&xsk_, false);
  }

  absl::Span<std::byte> Area() { return absl::MakeSpan(area_); }

  // The kernel receives `length` bytes into the next chunk of the fill ring.
  void Arrive(uint32_t length, bool continued) {
    ASSERT_NE(fill_.consumer, fill_.producer) << "the fill ring is empty";
    const uint64_t chunk = fill_.entries[fill_.consumer++ % kRing];
    ArriveAt(chunk + kRxHeadroom, length, continued);
  }
  void ArriveAt(uint64_t address, uint32_t length, bool continued) {
    rx_.entries[rx_.producer++ % kRing] = {
        .addr = address, .len = length, .options = continued ? uint32_t{XDP_PKT_CONTD} : 0u};
  }

  size_t Receive() { return lane_.Receive(absl::MakeSpan(packets_)); }

  std::vector<std::byte> area_;
  RingMemory<uint64_t> fill_;
  RingMemory<uint64_t> completion_;
  RingMemory<xdp_desc> rx_;
  QueuePort port_;
  Xsk xsk_;
  XdpLane lane_;
  std::array<RxPacket, 4> packets_;
};

TEST_F(XdpLaneReceiveTest, PacketOfSeveralChunksIsPutTogether) {
  Arrive(3840, true);
  Arrive(3840, true);
  Arrive(100, false);
  ASSERT_EQ(Receive(), 1u);
  EXPECT_EQ(packets_[0].chunk_count, 3u);
  EXPECT_EQ(packets_[0].length, 2u * 3840 + 100);
  EXPECT_EQ(packets_[0].chunks[2].size(), 100u);
}

TEST_F(XdpLaneReceiveTest, PacketWhoseRestIsLateWaitsForIt) {
  Arrive(1000, false);
  Arrive(3840, true);
  ASSERT_EQ(Receive(), 1u);
  lane_.Release(absl::MakeSpan(packets_).first(1));
  EXPECT_EQ(Receive(), 0u);
  Arrive(200, false);
  ASSERT_EQ(Receive(), 1u);
  EXPECT_EQ(packets_[0].length, 3840u + 200);
}

TEST_F(XdpLaneReceiveTest, NoMorePacketsThanAskedForAreTaken) {
  for (int i = 0; i < 6; ++i) Arrive(60, false);
  EXPECT_EQ(Receive(), 4u);
  EXPECT_EQ(Receive(), 2u);
}

TEST_F(XdpLaneReceiveTest, PacketOfTooManyChunksIsDroppedAndTheNextOneArrives) {
  for (size_t i = 0; i < kMaxRxChunks; ++i) Arrive(3840, true);
  Arrive(3840, true);
  Arrive(1, false);
  Arrive(60, false);
  ASSERT_EQ(Receive(), 1u);
  EXPECT_EQ(packets_[0].length, 60u);
  EXPECT_EQ(lane_.ReadStats().rx_too_long, 1u);
  EXPECT_EQ(port_.borrowed(), 1u);
}

TEST_F(XdpLaneReceiveTest, ReleasedChunksGoBackIntoTheFillRing) {
  for (int round = 0; round < 100; ++round) {
    Arrive(60, false);
    ASSERT_EQ(Receive(), 1u);
    lane_.Release(absl::MakeSpan(packets_).first(1));
  }
  EXPECT_EQ(fill_.producer - fill_.consumer, kRing);
  EXPECT_EQ(port_.borrowed(), 0u);
}

TEST_F(XdpLaneReceiveTest, ChunkThatIsReleasedTwiceIsCountedAndNotGivenTwice) {
  Arrive(60, false);
  ASSERT_EQ(Receive(), 1u);
  lane_.Release(absl::MakeSpan(packets_).first(1));
  lane_.Release(absl::MakeSpan(packets_).first(1));
  EXPECT_EQ(port_.invalid(), 1u);
  EXPECT_EQ(fill_.producer - fill_.consumer, kRing);
}

TEST_F(XdpLaneReceiveTest, AddressOutsideTheQueuesMemoryIsIgnored) {
  ArriveAt(uint64_t{kRing} * kChunkSize, 60, false);
  ArriveAt(~uint64_t{0}, 60, false);
  EXPECT_EQ(Receive(), 0u);
  EXPECT_EQ(port_.invalid(), 2u);
}

TEST_F(XdpLaneReceiveTest, LengthBeyondTheChunkIsDropped) {
  Arrive(kChunkSize, false);
  EXPECT_EQ(Receive(), 0u);
  EXPECT_EQ(port_.borrowed(), 0u);
}

TEST_F(XdpLaneReceiveTest, PacketForAnotherPortIsCountedAsHandedOver) {
  Arrive(60, false);
  std::byte* frame = area_.data() + rx_.entries[0].addr;
  frame[12] = std::byte{0x08};
  frame[14] = std::byte{0x45};
  frame[36] = std::byte{9001 >> 8};
  frame[37] = std::byte{9001 & 0xff};
  ASSERT_EQ(Receive(), 1u);
  EXPECT_EQ(lane_.ReadStats().handed_over, 1u);
}

}  // namespace
}  // namespace netchannel::xdp
