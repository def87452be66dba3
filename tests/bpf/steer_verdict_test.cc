// SPDX-License-Identifier: Apache-2.0
// A test a verdict of bpf/steer.bpf.c, over both IP versions with 0 to 2 VLAN tags.
#include "steer_fixture.h"

namespace netchannel::test {
namespace {

constexpr uint32_t kSlotOfQueue5 = NC_MAX_QUEUES + 5 * NC_EXTRA_LANES;
constexpr uint32_t kExtraSlotOfQueue0 = NC_MAX_QUEUES;
static_assert(NC_SLOT_QUEUE(kSlotOfQueue5) == 5 && NC_SLOT_QUEUE(kExtraSlotOfQueue0) == 0);
static_assert(NC_SLOT_QUEUE(63) == 63 && NC_SLOT_QUEUE(NC_MAX_SLOTS - 1) == 63);

TEST_P(SteerEncapsulationTest, HealthyPacketGoesToItsLanesSocket) {
  EXPECT_EQ(Run(Spec()), kSteered);
}

TEST_P(SteerEncapsulationTest, EmptyPayloadIsHealthy) {
  FrameSpec spec = Spec();
  spec.payload = 0;
  EXPECT_EQ(Run(spec), kSteered);
}

TEST_P(SteerEncapsulationTest, LinkPaddingBehindThePacketIsIgnored) {
  Bytes frame = BuildFrame(Spec());
  frame.resize(frame.size() + 18);
  EXPECT_EQ(Run(frame), kSteered);
}

TEST_P(SteerEncapsulationTest, PacketForALaneOfAnotherQueueGoesToItsQueuesHomeSocket) {
  SetLane(kPort, {kSlotOfQueue5, 5, NC_CLASS_LATENCY, NC_ACTION_STEER, kSlotOfQueue5});
  AddSocket(kSlotOfQueue5);
  EXPECT_EQ(Run(Spec()), kSteeredHome);
}

TEST_P(SteerEncapsulationTest, PacketWithoutALaneSocketPasses) {
  CloseSockets();
  EXPECT_EQ(Run(Spec()), Pass(NC_PASS_NO_SOCKET));
}

TEST_P(SteerEncapsulationTest, PacketForAnotherQueueWithoutAHomeSocketPasses) {
  CloseSockets();
  SetLane(kPort, {kSlotOfQueue5, 5, NC_CLASS_LATENCY, NC_ACTION_STEER, kSlotOfQueue5});
  AddSocket(kSlotOfQueue5);
  EXPECT_EQ(Run(Spec()), Pass(NC_PASS_NO_SOCKET));
}

TEST_P(SteerEncapsulationTest, ALaneMovesToAnotherSocketOfItsQueue) {
  SetLane(kPort, {kExtraSlotOfQueue0, 0, NC_CLASS_THROUGHPUT, NC_ACTION_STEER, kSlot});
  AddSocket(kExtraSlotOfQueue0);
  EXPECT_EQ(Run(Spec()), kSteered);
}

TEST_P(SteerEncapsulationTest, AnEmptySlotFallsBackToTheQueuesHomeSocket) {
  SetLane(kPort, {kExtraSlotOfQueue0, 0, NC_CLASS_THROUGHPUT, NC_ACTION_STEER, kSlot});
  EXPECT_EQ(Run(Spec()), kSteeredHome);
}

TEST_P(SteerEncapsulationTest, ASlotOfAnotherQueueThanTheLaneSaysFallsBackToTheHomeSocket) {
  SetLane(kPort, {kSlotOfQueue5, 0, NC_CLASS_THROUGHPUT, NC_ACTION_STEER, kSlot});
  AddSocket(kSlotOfQueue5);
  EXPECT_EQ(Run(Spec()), kSteeredHome);
}

TEST_P(SteerEncapsulationTest, ASlotThatDoesNotExistFallsBackToTheHomeSocket) {
  for (const uint32_t slot : {uint32_t{NC_MAX_SLOTS}, UINT32_MAX}) {
    SetLane(kPort, {slot, 0, NC_CLASS_THROUGHPUT, NC_ACTION_STEER, kSlot});
    EXPECT_EQ(Run(Spec()), kSteeredHome) << slot;
  }
}

TEST_P(SteerEncapsulationTest, AnUnknownActionSteers) {
  SetLane(kPort, {kSlot, 0, NC_CLASS_THROUGHPUT, static_cast<nc_action>(7), kSlot});
  EXPECT_EQ(Run(Spec()), kSteered);
}

TEST_P(SteerEncapsulationTest, AnUnknownPeerActionAllows) {
  SetKnob(NC_KNOB_DENY_UNKNOWN_PEERS, 1);
  SetPeer(family(), Spec().ipv6 ? "fd00::" : "10.0.0.0", Spec().ipv6 ? 64 : 24, 7);
  EXPECT_EQ(Run(Spec()), kSteered);
}

TEST_P(SteerEncapsulationTest, KnobsOfUserspaceChangeNoVerdict) {
  for (const nc_knob knob : {NC_KNOB_GENERATION, NC_KNOB_CHANNEL_POLICY, NC_KNOB_RATE_THROUGHPUT,
                             NC_KNOB_RATE_LATENCY}) {
    SetKnob(knob, UINT64_MAX);
    EXPECT_EQ(Run(Spec()), kSteered) << knob;
  }
}

TEST_P(SteerEncapsulationTest, OtherPortPasses) {
  FrameSpec spec = Spec();
  spec.destination_port = 53;
  EXPECT_EQ(Run(spec), Pass(NC_PASS_OTHER_PORT));
}

TEST_P(SteerEncapsulationTest, OtherAddressPasses) {
  FrameSpec spec = Spec();
  spec.destination = spec.ipv6 ? "fd00::99" : "10.0.0.99";
  EXPECT_EQ(Run(spec), Pass(NC_PASS_OTHER_ADDRESS));
}

TEST_P(SteerEncapsulationTest, OtherProtocolPasses) {
  FrameSpec spec = Spec();
  spec.protocol = 6;
  EXPECT_EQ(Run(spec), Pass(NC_PASS_NOT_UDP));
}

TEST_P(SteerEncapsulationTest, OtherEtherTypePasses) {
  FrameSpec spec = Spec();
  spec.ether_type = 0x0806;
  EXPECT_EQ(Run(spec), Pass(NC_PASS_NOT_IP));
}

TEST_P(SteerEncapsulationTest, WrongIpVersionPasses) {
  FrameSpec spec = Spec();
  spec.ip_version = spec.ipv6 ? 4 : 6;
  EXPECT_EQ(Run(spec), Pass(NC_PASS_NOT_IP));
}

TEST_P(SteerEncapsulationTest, PacketOfALaneThatPassesGoesToTheKernel) {
  SetLane(kPort, {kSlot, 0, NC_CLASS_THROUGHPUT, NC_ACTION_PASS, kSlot});
  EXPECT_EQ(Run(Spec()), Pass(NC_PASS_LANE_ACTION));
}

TEST_P(SteerEncapsulationTest, PacketOfALaneThatDropsIsDropped) {
  SetLane(kPort, {kSlot, 0, NC_CLASS_THROUGHPUT, NC_ACTION_DROP, kSlot});
  EXPECT_EQ(Run(Spec()), Drop(NC_DROP_LANE_ACTION));
}

TEST_P(SteerEncapsulationTest, PacketOfADeniedPeerIsDropped) {
  SetPeer(family(), GetParam().ipv6 ? "fd00::" : "10.0.0.0", 8, NC_PEER_DENY);
  EXPECT_EQ(Run(Spec()), Drop(NC_DROP_DENIED));
}

TEST_P(SteerEncapsulationTest, LongerPeerPrefixDecides) {
  SetPeer(family(), GetParam().ipv6 ? "fd00::" : "10.0.0.0", 8, NC_PEER_DENY);
  SetPeer(family(), GetParam().ipv6 ? "fd00::2" : "10.0.0.2", GetParam().ipv6 ? 128 : 32,
          NC_PEER_ALLOW);
  EXPECT_EQ(Run(Spec()), kSteered);
}

TEST_P(SteerEncapsulationTest, UnknownPeerIsDroppedWhenThePolicySaysSo) {
  SetKnob(NC_KNOB_DENY_UNKNOWN_PEERS, 1);
  EXPECT_EQ(Run(Spec()), Drop(NC_DROP_DENIED));
}

TEST_P(SteerEncapsulationTest, KnownPeerIsSteeredWhenUnknownOnesAreDenied) {
  SetKnob(NC_KNOB_DENY_UNKNOWN_PEERS, 1);
  SetPeer(family(), GetParam().ipv6 ? "fd00::2" : "10.0.0.2", GetParam().ipv6 ? 128 : 32,
          NC_PEER_ALLOW);
  EXPECT_EQ(Run(Spec()), kSteered);
}

TEST_P(SteerEncapsulationTest, FirstFragmentIsDropped) {
  FrameSpec spec = Spec();
  spec.fragment = Fragment{.offset = 0, .more = true};
  EXPECT_EQ(Run(spec), Drop(NC_DROP_FRAGMENT));
}

TEST_P(SteerEncapsulationTest, LaterFragmentPasses) {
  FrameSpec spec = Spec();
  spec.fragment = Fragment{.offset = 1480, .more = false};
  EXPECT_EQ(Run(spec), Pass(NC_PASS_FRAGMENT));
}

TEST_P(SteerEncapsulationTest, FirstFragmentForAnotherPortPasses) {
  FrameSpec spec = Spec();
  spec.fragment = Fragment{.offset = 0, .more = true};
  spec.destination_port = 53;
  EXPECT_EQ(Run(spec), Pass(NC_PASS_OTHER_PORT));
}

TEST_P(SteerEncapsulationTest, UdpLengthBelowItsHeaderIsDropped) {
  FrameSpec spec = Spec();
  spec.udp_length = 7;
  EXPECT_EQ(Run(spec), Drop(NC_DROP_BAD_LENGTH));
}

TEST_P(SteerEncapsulationTest, UdpLengthBeyondTheIpPacketIsDropped) {
  FrameSpec spec = Spec();
  spec.udp_length = static_cast<uint16_t>(8 + spec.payload + 1);
  EXPECT_EQ(Run(spec), Drop(NC_DROP_BAD_LENGTH));
}

TEST_P(SteerEncapsulationTest, IpLengthOfZeroIsDropped) {
  FrameSpec spec = Spec();
  spec.ip_length = 0;
  EXPECT_EQ(Run(spec), Drop(NC_DROP_BAD_LENGTH));
}

TEST_P(SteerEncapsulationTest, IpLengthBeyondTheFrameIsDropped) {
  FrameSpec spec = Spec();
  spec.ip_length = static_cast<uint16_t>((spec.ipv6 ? 0 : 20) + 8 + spec.payload + 1);
  EXPECT_EQ(Run(spec), Drop(NC_DROP_TRUNCATED));
}

// Before the ports nobody can say whose a packet is; from there on it is ours, and broken.
TEST_P(SteerEncapsulationTest, TruncatedFramePassesUpToItsPortsAndIsDroppedFromThere) {
  const Bytes whole = BuildFrame(Spec());
  const size_t ports_end = BytesUpToPorts(Spec());
  const size_t link_end = 14 + 4 * static_cast<size_t>(GetParam().vlan_tags);
  for (size_t length = 14; length < whole.size(); ++length) {
    const Outcome expected = length < link_end    ? Pass(NC_PASS_NOT_IP)
                             : length < ports_end ? Pass(NC_PASS_TRUNCATED)
                                                  : Drop(NC_DROP_TRUNCATED);
    EXPECT_EQ(Run(CutTo(whole, length)), expected)
        << "cut to " << length << " of " << whole.size() << " bytes";
  }
}

// The headers lie in the first buffer; the rest of the frame in fragments of a page.
TEST_P(SteerEncapsulationTest, MultiBufferFrameIsSteered) {
  for (const size_t payload : {4000u, 8900u, 32000u, 65000u}) {
    FrameSpec spec = Spec();
    spec.payload = payload;
    EXPECT_EQ(Run(spec), kSteered) << payload << " bytes of payload";
  }
}

TEST_P(SteerEncapsulationTest, MultiBufferFrameThatMissesItsLastByteIsDropped) {
  FrameSpec spec = Spec();
  spec.payload = 8900;
  Bytes frame = BuildFrame(spec);
  frame.pop_back();
  EXPECT_EQ(Run(frame), Drop(NC_DROP_TRUNCATED));
}

TEST_P(SteerEncapsulationTest, MultiBufferFrameForAnotherPortPasses) {
  FrameSpec spec = Spec();
  spec.payload = 8900;
  spec.destination_port = 53;
  EXPECT_EQ(Run(spec), Pass(NC_PASS_OTHER_PORT));
}

INSTANTIATE_TEST_SUITE_P(Encapsulations, SteerEncapsulationTest,
                         testing::Values(Encapsulation{false, 0}, Encapsulation{false, 1},
                                         Encapsulation{false, 2}, Encapsulation{true, 0},
                                         Encapsulation{true, 1}, Encapsulation{true, 2}),
                         EncapsulationName);

}  // namespace
}  // namespace netchannel::test
