// SPDX-License-Identifier: Apache-2.0
//
// Segments between whole drivers: what is enqueued arrives, once acknowledged, whatever the network
// does.
#include <gtest/gtest.h>

#include <set>

#include "test_network.h"
#include "wire/byte_order.h"
#include "wire/packet.h"

namespace netchannel {
namespace {

using Kind = DriverEvent::Kind;
constexpr size_t kBytes = 200'000;

class DriverDataTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto session = a_.driver().Connect(network_.now(), b_.endpoint());
    ASSERT_TRUE(session.ok());
    at_a_ = *session;
    ASSERT_TRUE(network_.RunUntil([&] { return a_.driver().IsUp(at_a_); }));
    at_b_ = b_.UpSession();
  }
  Segment Control(const TestStream& stream, SegmentKind kind) {
    Segment segment;
    segment.stream = stream.handle;
    segment.kind = kind;
    return segment;
  }
  void ExpectTransfer(TestHost& from, TestHost& to, SessionHandle session, StreamId id) {
    TestStream& stream = from.AddStream(session, id, kBytes);
    const uint64_t before = from.acknowledged_bytes;
    from.SendAll(stream, session, kBytes, 16'000, true);
    EXPECT_TRUE(network_.RunUntil([&] { return from.acknowledged_bytes >= before + kBytes; }));
    const auto& arrived = to.arrived[id];
    EXPECT_EQ(arrived.bytes.size(), kBytes);
    EXPECT_TRUE(HasPattern(id, arrived.bytes));
    EXPECT_TRUE(arrived.fin);
  }

  TestNetwork network_;
  TestHost& a_ = network_.AddHost();
  TestHost& b_ = network_.AddHost();
  SessionHandle at_a_, at_b_;
};

TEST_F(DriverDataTest, BytesArriveFromClientToServer) { ExpectTransfer(a_, b_, at_a_, kStream); }

TEST_F(DriverDataTest, BytesArriveFromServerToClient) {
  ExpectTransfer(b_, a_, at_b_, kStream + 1);
}

TEST_F(DriverDataTest, BothDirectionsShareTheChannels) {
  ExpectTransfer(a_, b_, at_a_, kStream);
  ExpectTransfer(b_, a_, at_b_, kStream + 1);
  EXPECT_EQ(a_.TotalDrops(), 0u);
  EXPECT_EQ(b_.TotalDrops(), 0u);
}

TEST_F(DriverDataTest, AWholeNetworkPassesWithoutDuplicatesWhenNothingIsLost) {
  ExpectTransfer(a_, b_, at_a_, kStream);
  EXPECT_EQ(b_.arrived[kStream].new_bytes, kBytes);
}

TEST_F(DriverDataTest, Ipv6HostsTalkAsWell) {
  const auto address = [](const char* text) {
    return [text](DriverConfig& c) { c.addresses = *wire::IpAddress::Parse(text); };
  };
  TestHost& c = network_.AddHost(address("fd00::1"));
  TestHost& d = network_.AddHost(address("fd00::2"));
  const auto session = c.driver().Connect(network_.now(), d.endpoint());
  ASSERT_TRUE(network_.RunUntil([&] { return c.driver().IsUp(*session); }));
  ExpectTransfer(c, d, *session, kStream);
  EXPECT_EQ(c.driver().Status()[0].channels[1].packet_size, 1500u - 40 - 8);
  EXPECT_FALSE(c.driver().Connect(network_.now(), a_.endpoint()).ok()) << "another family";
}

TEST_F(DriverDataTest, AHostWithBothFamiliesServesBothAtOnce) {
  const auto both = [](const char* v4, const char* v6) {
    return [v4, v6](DriverConfig& c) {
      c.addresses = {*wire::IpAddress::Parse(v4), *wire::IpAddress::Parse(v6)};
    };
  };
  TestHost& c = network_.AddHost(both("10.1.0.1", "fd00::1"));
  TestHost& d = network_.AddHost(both("10.1.0.2", "fd00::2"));
  const auto over_v4 = c.driver().Connect(network_.now(), d.endpoint());
  const auto over_v6 = c.driver().Connect(network_.now(), d.endpoint_v6());
  ASSERT_TRUE(over_v4.ok() && over_v6.ok());
  ASSERT_NE(*over_v4, *over_v6);
  ASSERT_TRUE(
      network_.RunUntil([&] { return c.driver().IsUp(*over_v4) && c.driver().IsUp(*over_v6); }));
  std::set<wire::IpEndpoint> seen_by_d;
  for (const SessionStatus& session : d.driver().Status()) seen_by_d.insert(session.peer);
  EXPECT_EQ(seen_by_d, (std::set{c.endpoint(), c.endpoint_v6()}));
  ExpectTransfer(c, d, *over_v4, kStream);
  ExpectTransfer(c, d, *over_v6, kStream + 2);
}

TEST_F(DriverDataTest, EachFamilyFillsTheMtu) {
  const auto both = [](const char* v4, const char* v6) {
    return [v4, v6](DriverConfig& c) {
      c.addresses = {*wire::IpAddress::Parse(v4), *wire::IpAddress::Parse(v6)};
      c.connection.max_packet_size = 1400 - 28;  // below the lanes' MTU of 1500
    };
  };
  TestHost& c = network_.AddHost(both("10.1.0.1", "fd00::1"));
  TestHost& d = network_.AddHost(both("10.1.0.2", "fd00::2"));
  const auto over_v4 = c.driver().Connect(network_.now(), d.endpoint());
  const auto over_v6 = c.driver().Connect(network_.now(), d.endpoint_v6());
  ASSERT_TRUE(
      network_.RunUntil([&] { return c.driver().IsUp(*over_v4) && c.driver().IsUp(*over_v6); }));
  ExpectTransfer(c, d, *over_v4, kStream);
  ExpectTransfer(c, d, *over_v6, kStream + 2);
  for (const SessionStatus& session : c.driver().Status()) {
    const ByteCount headers = session.peer.address.is_v4() ? 28 : 48;
    EXPECT_EQ(session.channels[1].packet_size, 1400 - headers) << session.peer.ToString();
  }
}

TEST_F(DriverDataTest, LossOfEveryKthPacketIsMadeUpFor) {
  // Not 2 or 3: a packet of a smallest window and its ACK, or two probes and theirs, would keep
  // step with it for ever.
  for (const int k : {4, 5, 7, 20}) {
    int count = 0;
    network_.filter = [&](FrameBytes&) { return ++count % k != 0; };
    ExpectTransfer(a_, b_, at_a_, kStream + static_cast<StreamId>(k) * 2);
  }
}

TEST_F(DriverDataTest, LossOfAThirdOfAllPacketsIsMadeUpFor) {
  SeededRng rng(4);
  network_.filter = [&](FrameBytes&) { return !rng.Chance(0.33); };
  ExpectTransfer(a_, b_, at_a_, kStream);
}

TEST_F(DriverDataTest, LossOfHalfOfAllPacketsIsMadeUpFor) {
  SeededRng rng(5);
  network_.filter = [&](FrameBytes&) { return !rng.Chance(0.5); };
  ExpectTransfer(a_, b_, at_a_, kStream);
}

TEST_F(DriverDataTest, CorruptPacketsAreDroppedAndSentAgain) {
  int count = 0;
  network_.filter = [&](FrameBytes& frame) {
    if (++count % 10 == 0) frame[frame.size() / 2] ^= std::byte{0x10};
    return true;
  };
  ExpectTransfer(a_, b_, at_a_, kStream);
  EXPECT_GT(b_.TotalDrops(), 0u);
}

TEST_F(DriverDataTest, DuplicatedPacketsAreDeliveredOnce) {
  bool again = false;
  network_.filter = [&](FrameBytes& frame) {
    if (!again && IsType(frame, wire::PacketType::kData)) {
      again = true;
      network_.Inject(frame);
      again = false;
    }
    return true;
  };
  ExpectTransfer(a_, b_, at_a_, kStream);
  EXPECT_EQ(b_.arrived[kStream].new_bytes, kBytes);
  EXPECT_GT(b_.driver().drops(DropReason::kDuplicate), 0u);
}

TEST_F(DriverDataTest, ControlSegmentsTellTheTablesLatestValues) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 0);
  for (const SegmentKind kind : {SegmentKind::kOpen, SegmentKind::kAccept, SegmentKind::kWindow}) {
    ASSERT_TRUE(a_.driver().Enqueue(network_.now(), at_a_, 0, Control(stream, kind)));
  }
  a_.streams().Find(stream.handle)->receive_limit = 12345;
  network_.RunFor(Duration::Millis(1));
  ASSERT_EQ(b_.control.size(), 3u);
  EXPECT_EQ(b_.control[0].type, wire::RecordType::kOpen);
  EXPECT_EQ(b_.control[0].source_port, 1000);
  EXPECT_EQ(b_.control[0].destination_port, 2000);
  EXPECT_EQ(b_.control[0].session, at_b_);
  for (const Delivery& delivery : b_.control) {
    EXPECT_EQ(delivery.stream, kStream);
    EXPECT_EQ(delivery.receive_limit, 12345u);
  }
}

TEST_F(DriverDataTest, AResetCarriesItsCode) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 0);
  a_.streams().Find(stream.handle)->reset_code = static_cast<uint16_t>(wire::ResetCode::kRefused);
  ASSERT_TRUE(a_.driver().Enqueue(network_.now(), at_a_, 0, Control(stream, SegmentKind::kReset)));
  network_.RunFor(Duration::Millis(2));
  ASSERT_EQ(b_.control.size(), 1u);
  EXPECT_EQ(b_.control[0].reset_code, wire::ResetCode::kRefused);
  ASSERT_EQ(a_.CountEvents(Kind::kAcknowledged), 1u);
}

TEST_F(DriverDataTest, DataWithOpenComesAfterItsOpen) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 10);
  Segment segment = Control(stream, SegmentKind::kData);
  segment.length = 10;
  segment.with_open = true;
  ASSERT_TRUE(a_.driver().Enqueue(network_.now(), at_a_, 0, segment));
  network_.RunFor(Duration::Millis(1));
  ASSERT_EQ(b_.control.size(), 1u);
  EXPECT_EQ(b_.control[0].type, wire::RecordType::kOpen);
  EXPECT_EQ(b_.arrived[kStream].bytes.size(), 10u);
}

TEST_F(DriverDataTest, SegmentsOfAGoneStreamAreForgotten) {
  TestStream& gone = a_.AddStream(at_a_, kStream, 100);
  Segment segment = Control(gone, SegmentKind::kData);
  segment.length = 100;
  ASSERT_TRUE(a_.driver().Enqueue(network_.now(), at_a_, 0, segment));
  a_.streams().Release(gone.handle);
  network_.RunFor(Duration::Millis(10));
  EXPECT_EQ(b_.arrived.count(kStream), 0u);
  EXPECT_EQ(a_.driver().Status()[0].channels[0].bytes_in_flight, 0u) << "a PING takes its place";
  EXPECT_TRUE(a_.driver().IsUp(at_a_));
}

TEST_F(DriverDataTest, AFullChannelRefusesDataAndTakesControl) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 0);
  Segment data = Control(stream, SegmentKind::kData);
  data.length = 60'000;
  int taken = 0;
  while (taken < 100 && a_.driver().Enqueue(network_.now(), at_a_, 0, data)) {
    data.offset += data.length + 1;  // not to be merged
    ++taken;
  }
  EXPECT_EQ(taken, 5) << "256 KiB are the limit, passed by the last one";
  EXPECT_EQ(a_.driver().Channels(at_a_)[0].capacity, 0u);
  EXPECT_GT(a_.driver().Channels(at_a_)[0].backlog, 256u * 1024);
  EXPECT_TRUE(a_.driver().Enqueue(network_.now(), at_a_, 0, Control(stream, SegmentKind::kWindow)));
}

TEST_F(DriverDataTest, ChannelInfoFollowsWhatIsSent) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 1000);
  Segment data = Control(stream, SegmentKind::kData);
  data.length = 1000;
  const auto channels = a_.driver().Channels(at_a_);
  const ByteCount capacity = channels[1].capacity;
  ASSERT_TRUE(a_.driver().Enqueue(network_.now(), at_a_, 1, data));
  EXPECT_EQ(channels[1].backlog, 1000u);
  EXPECT_EQ(channels[1].capacity, capacity - 1000);
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(channels[1].backlog, 0u);
  EXPECT_EQ(channels[1].capacity, capacity);
}

TEST_F(DriverDataTest, AnUnknownChannelOrSessionTakesNothing) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 0);
  const Segment segment = Control(stream, SegmentKind::kWindow);
  EXPECT_FALSE(a_.driver().Enqueue(network_.now(), at_a_, 2, segment));
  EXPECT_FALSE(a_.driver().Enqueue(network_.now(), SessionHandle{7, 1}, 0, segment));
  EXPECT_TRUE(a_.driver().Channels(SessionHandle{7, 1}).empty());
}

TEST_F(DriverDataTest, LatencyChannelsAreServedFirst) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 20'000);
  Segment data = Control(stream, SegmentKind::kData);
  data.length = 10'000;
  const auto channels = a_.driver().Channels(at_a_);
  const uint8_t latency = channels[0].app_class == AppClass::kLatency ? 0 : 1;
  ASSERT_TRUE(a_.driver().Enqueue(network_.now(), at_a_, 1 - latency, data));
  data.offset = 10'000;
  data.length = 100;
  ASSERT_TRUE(a_.driver().Enqueue(network_.now(), at_a_, latency, data));
  network_.keep_log = true;
  a_.Step();
  ASSERT_GE(network_.log.size(), 2u);
  const uint16_t first = ParseFrame(network_.log[0]).datagram.source.port;
  EXPECT_EQ(first - a_.config().base_port, 0) << "lane 0 is the latency class's";
}

TEST_F(DriverDataTest, ALatencyFloodLeavesTheThroughputClassAQuarter) {
  for (uint8_t channel = 0; channel < 2; ++channel) {
    TestStream& stream = a_.AddStream(at_a_, kStream + channel * 2u, 100'000);
    Segment data = Control(stream, SegmentKind::kData);
    data.length = 60'000;
    ASSERT_TRUE(a_.driver().Enqueue(network_.now(), at_a_, channel, data));
  }
  network_.keep_log = true;
  EXPECT_EQ(a_.driver().PollTransmit(network_.now(), 8), 8u);
  size_t throughput = 0;
  for (const FrameBytes& frame : network_.log) {
    throughput += ParseFrame(frame).datagram.source.port == a_.config().base_port + 1 ? 1 : 0;
  }
  EXPECT_EQ(throughput, 2u);
}

TEST_F(DriverDataTest, AStuckLaneIsTriedAgainAndLosesNothing) {
  for (size_t i = 0; i < 2; ++i) {
    a_.lane(i).stuck = true;
    a_.lane(i).free_buffers = 3;
  }
  TestStream& stream = a_.AddStream(at_a_, kStream, kBytes);
  a_.SendAll(stream, at_a_, 20'000, 10'000, false);
  network_.RunFor(Duration::Millis(1));
  EXPECT_LT(b_.arrived[kStream].new_bytes, 20'000u);
  for (size_t i = 0; i < 2; ++i) a_.lane(i).stuck = false;
  network_.RunFor(Duration::Millis(10));
  EXPECT_TRUE(HasPattern(kStream, b_.arrived[kStream].bytes));
  EXPECT_EQ(a_.acknowledged_bytes, 20'000u);
}

class DriverForgeryTest : public DriverDataTest {
 protected:
  // A data packet that b has not seen; the network swallows it.
  FrameBytes DataFrame() {
    FrameBytes data;
    network_.filter = [&](FrameBytes& frame) {
      if (!IsType(frame, wire::PacketType::kData)) return true;
      const bool is_probe = frame.size() > 1000;  // of the path MTU
      if (!is_probe && data.empty()) data = frame;
      return is_probe;
    };
    TestStream& stream = a_.AddStream(at_a_, kStream, 100);
    Segment segment = Control(stream, SegmentKind::kData);
    segment.length = 100;
    EXPECT_TRUE(a_.driver().Enqueue(network_.now(), at_a_, 0, segment));
    a_.Step();
    network_.filter = {};
    EXPECT_FALSE(data.empty());
    return data;
  }
  void Receive(const FrameBytes& frame) { b_.OnFrame(frame); }
};

TEST_F(DriverForgeryTest, AWrongTokenIsCountedAndDeliversNothing) {
  Receive(Forge(DataFrame(), [](auto& packet) { packet[4] ^= std::byte{1}; }));
  EXPECT_EQ(b_.driver().drops(DropReason::kUnknownToken), 1u);
  EXPECT_EQ(b_.arrived.count(kStream), 0u);
}

TEST_F(DriverForgeryTest, ATokenFromAnotherHostIsRefused) {
  const FrameBytes frame = DataFrame();
  const ParsedFrame parsed = ParseFrame(frame);
  Receive(MakeFrame({wire::IpAddress::V4(0x0a000063), 4700}, parsed.datagram.destination,
                    parsed.packet));
  EXPECT_EQ(b_.driver().drops(DropReason::kWrongAddress), 1u);
  EXPECT_EQ(b_.arrived.count(kStream), 0u);
}

TEST_F(DriverForgeryTest, APacketWithOneBadRecordIsNotUsedAtAll) {
  Receive(Forge(DataFrame(), [](auto& packet) { packet.push_back(std::byte{0x55}); }));
  EXPECT_EQ(b_.driver().drops(DropReason::kBadRecord), 1u);
  EXPECT_EQ(b_.arrived.count(kStream), 0u);
}

TEST_F(DriverForgeryTest, PacketNumberZeroIsRefused) {
  Receive(Forge(DataFrame(), [](auto& packet) { wire::StoreBe64(packet.data() + 12, 0); }));
  EXPECT_EQ(b_.driver().drops(DropReason::kBadRecord), 1u);
  EXPECT_EQ(b_.arrived.count(kStream), 0u);
}

TEST_F(DriverForgeryTest, AnAckOfWhatWasNeverSentIsCounted) {
  Receive(Forge(DataFrame(), [](auto& packet) {
    packet.resize(wire::kHeaderSize);
    packet.resize(wire::kHeaderSize + wire::kAckRecordFixedSize);
    std::byte* ack = packet.data() + wire::kHeaderSize;
    wire::Store8(ack, static_cast<uint8_t>(wire::RecordType::kAck));
    wire::StoreBe64(ack + 8, 1'000'000);
    wire::StoreBe32(ack + 24, 1);
  }));
  EXPECT_EQ(b_.driver().drops(DropReason::kBadAck), 1u);
  EXPECT_TRUE(b_.driver().IsUp(at_b_));
}

TEST_F(DriverForgeryTest, AnAbsentChecksumIsRefused) {
  FrameBytes frame = DataFrame();
  frame[14 + 20 + 6] = frame[14 + 20 + 7] = std::byte{0};
  Receive(frame);
  EXPECT_EQ(b_.driver().drops(DropReason::kBadChecksum), 1u);
}

TEST_F(DriverForgeryTest, EveryTruncationIsDropped) {
  const FrameBytes frame = DataFrame();
  for (size_t length = 1; length < frame.size(); ++length) {
    const uint64_t before = b_.TotalDrops();
    RxPacket packet;
    packet.chunks[0] = absl::MakeConstSpan(frame).first(length);
    packet.chunk_count = 1;
    packet.length = static_cast<uint32_t>(length);
    std::vector<Delivery> out;
    b_.driver().OnPacket(network_.now(), 0, packet, out);
    EXPECT_EQ(b_.TotalDrops(), before + 1) << length;
    EXPECT_TRUE(out.empty()) << length;
  }
}

TEST_F(DriverForgeryTest, AnotherVersionsDataIsDropped) {
  Receive(Forge(DataFrame(), [](auto& packet) { packet[0] = std::byte{9}; }));
  EXPECT_EQ(b_.driver().drops(DropReason::kBadVersion), 1u);
}

TEST_F(DriverForgeryTest, AnUnknownTypeIsDropped) {
  Receive(Forge(DataFrame(), [](auto& packet) { packet[1] = std::byte{99}; }));
  EXPECT_EQ(b_.driver().drops(DropReason::kBadType), 1u);
}

}  // namespace
}  // namespace netchannel
