// SPDX-License-Identifier: Apache-2.0
//
// Channels of a living session that are made and removed.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "netdriver/packet_channel.h"
#include "test_network.h"
#include "wire/byte_order.h"
#include "wire/packet.h"

namespace netchannel {
namespace {

constexpr StreamId kStream = 2;

class DriverChannelsTest : public testing::Test {
 protected:
  static void Four(DriverConfig& config) {
    config.channels_per_class = 4;
    config.open_per_class = 1;
  }
  void SetUp() override {
    const auto session = a_.driver().Connect(network_.now(), b_.endpoint());
    ASSERT_TRUE(session.ok());
    ASSERT_TRUE(network_.RunUntil([&] { return a_.driver().IsUp(*session); }));
    at_a_ = *session;
    at_b_ = b_.UpSession();
    for (const ChannelInfo& channel : a_.driver().Channels(at_a_)) {
      if (channel.app_class == AppClass::kThroughput) throughput_.push_back(channel.index);
    }
    ASSERT_EQ(throughput_.size(), 4u);
  }
  const char* State(TestHost& host, uint8_t channel) {
    return host.driver().Status()[0].channels[channel].state;
  }
  bool Send(TestStream& stream, uint8_t channel, StreamOffset offset, uint32_t length) {
    Segment segment;
    segment.stream = stream.handle;
    segment.offset = offset;
    segment.length = length;
    return a_.driver().Enqueue(network_.now(), at_a_, channel, segment);
  }
  void RestAll() { network_.RunFor(PacketChannel::kLinger + Duration::Seconds(1)); }

  TestNetwork network_;
  TestHost& a_ = network_.AddHost(Four);
  TestHost& b_ = network_.AddHost(Four);
  SessionHandle at_a_, at_b_;
  std::vector<uint8_t> throughput_;
};

TEST_F(DriverChannelsTest, AsManyAreOpenAtFirstAsConfigured) {
  EXPECT_TRUE(a_.driver().Channels(at_a_)[throughput_[0]].open);
  for (size_t i = 1; i < 4; ++i) {
    const ChannelInfo& info = a_.driver().Channels(at_a_)[throughput_[i]];
    EXPECT_FALSE(info.open);
    EXPECT_EQ(info.capacity, 0u);
    EXPECT_STREQ(State(a_, throughput_[i]), "resting");
  }
}

TEST_F(DriverChannelsTest, AClosedChannelTakesNothing) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 100);
  EXPECT_FALSE(Send(stream, throughput_[1], 0, 100));
  ASSERT_TRUE(a_.driver().OpenChannel(at_a_, throughput_[1]));
  EXPECT_TRUE(Send(stream, throughput_[1], 0, 100));
  EXPECT_FALSE(a_.driver().OpenChannel(at_a_, throughput_[1])) << "it is";
}

TEST_F(DriverChannelsTest, TheLastOfAClassStaysOpen) {
  EXPECT_FALSE(a_.driver().CloseChannel(at_a_, throughput_[0]));
  ASSERT_TRUE(a_.driver().OpenChannel(at_a_, throughput_[3]));
  EXPECT_TRUE(a_.driver().CloseChannel(at_a_, throughput_[0]));
  EXPECT_FALSE(a_.driver().CloseChannel(at_a_, throughput_[3]));
  EXPECT_FALSE(a_.driver().CloseChannel(at_a_, 100));
}

TEST_F(DriverChannelsTest, WhatAClosedChannelHoldsIsDelivered) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 200'000);
  ASSERT_TRUE(a_.driver().OpenChannel(at_a_, throughput_[1]));
  ASSERT_TRUE(Send(stream, throughput_[1], 0, 200'000));
  ASSERT_TRUE(a_.driver().CloseChannel(at_a_, throughput_[1]));
  EXPECT_STREQ(State(a_, throughput_[1]), "draining");
  ASSERT_TRUE(network_.RunUntil([&] { return a_.acknowledged_bytes == 200'000; }));
  EXPECT_TRUE(HasPattern(kStream, b_.arrived[kStream].bytes));
  RestAll();
  EXPECT_STREQ(State(a_, throughput_[1]), "resting");
  EXPECT_STREQ(State(b_, throughput_[1]), "resting");
}

TEST_F(DriverChannelsTest, AChannelThatIsMadeAgainReusesNoPacketNumber) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 40'000);
  network_.keep_log = true;
  for (uint32_t round = 0; round < 4; ++round) {
    ASSERT_TRUE(a_.driver().OpenChannel(at_a_, throughput_[2]));
    ASSERT_TRUE(Send(stream, throughput_[2], round * 10'000, 10'000));
    ASSERT_TRUE(a_.driver().CloseChannel(at_a_, throughput_[2]));
    RestAll();
    ASSERT_STREQ(State(a_, throughput_[2]), "resting");
    EXPECT_EQ(a_.acknowledged_bytes, (round + 1) * 10'000);
  }
  EXPECT_TRUE(HasPattern(kStream, b_.arrived[kStream].bytes));
  std::set<std::pair<uint64_t, uint64_t>> seen;
  for (const FrameBytes& frame : network_.log) {
    if (!IsType(frame, wire::PacketType::kData)) continue;
    const ParsedFrame parsed = ParseFrame(frame);
    const uint64_t token = wire::LoadBe64(parsed.packet.data() + 4);
    const uint64_t number = wire::LoadBe64(parsed.packet.data() + 12);
    EXPECT_TRUE(seen.emplace(token, number).second) << "token " << token << " number " << number;
  }
  EXPECT_GT(seen.size(), 30u);
}

TEST_F(DriverChannelsTest, APacketOfAnEarlierConnectionIsADuplicate) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 10'000);
  network_.keep_log = true;
  ASSERT_TRUE(a_.driver().OpenChannel(at_a_, throughput_[1]));
  ASSERT_TRUE(Send(stream, throughput_[1], 0, 5'000));
  network_.RunFor(Duration::Millis(5));
  const FrameBytes old = network_.log.front();
  ASSERT_TRUE(a_.driver().CloseChannel(at_a_, throughput_[1]));
  RestAll();
  ASSERT_STREQ(State(b_, throughput_[1]), "resting");
  const uint64_t before = b_.driver().drops(DropReason::kDuplicate);
  network_.Inject(old);
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(b_.driver().drops(DropReason::kDuplicate), before + 1);
  EXPECT_STREQ(State(b_, throughput_[1]), "resting") << "it wakes nobody";
}

TEST_F(DriverChannelsTest, ALostLastPacketIsSentAgainByTheDrainingChannel) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 1000);
  ASSERT_TRUE(a_.driver().OpenChannel(at_a_, throughput_[1]));
  network_.filter = [](FrameBytes&) { return false; };
  ASSERT_TRUE(Send(stream, throughput_[1], 0, 1000));
  a_.Step();
  ASSERT_TRUE(a_.driver().CloseChannel(at_a_, throughput_[1]));
  network_.RunFor(PacketChannel::kLinger + Duration::Millis(200));
  EXPECT_STREQ(State(a_, throughput_[1]), "draining") << "what is on its way keeps it";
  network_.filter = {};
  network_.RunFor(Duration::Seconds(2));
  EXPECT_EQ(a_.acknowledged_bytes, 1000u);
  EXPECT_STREQ(State(a_, throughput_[1]), "resting");
}

TEST_F(DriverChannelsTest, WhenTheOnlyOpenOneFailsAnotherTakesItsPlace) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 50'000);
  const uint8_t dead = throughput_[0];
  const uint64_t token = [&] {
    network_.keep_log = true;
    EXPECT_TRUE(Send(stream, dead, 0, 1000));
    a_.Step();
    network_.keep_log = false;
    return wire::LoadBe64(ParseFrame(network_.log.front()).packet.data() + 4);
  }();
  network_.RunFor(Duration::Millis(5));
  network_.filter = [&](FrameBytes& frame) {
    return wire::LoadBe64(ParseFrame(frame).packet.data() + 4) != token;
  };
  ASSERT_TRUE(Send(stream, dead, 1000, 49'000));
  ASSERT_TRUE(network_.RunUntil([&] { return a_.acknowledged_bytes == 50'000; }));
  EXPECT_TRUE(HasPattern(kStream, b_.arrived[kStream].bytes));
  EXPECT_STREQ(State(a_, dead), "failed");
  EXPECT_TRUE(a_.driver().Channels(at_a_)[throughput_[1]].open);
  EXPECT_TRUE(a_.driver().IsUp(at_a_));
  EXPECT_FALSE(a_.driver().OpenChannel(at_a_, dead));
}

TEST_F(DriverChannelsTest, SessionsAreVisitedAFewAtATime) {
  std::vector<SessionHandle> seen;
  uint32_t cursor = 0;
  for (int i = 0; i < 5; ++i) network_.AddHost();
  a_.driver().SomeSessions(cursor, 64, seen);
  EXPECT_EQ(seen, std::vector<SessionHandle>{at_a_});
  EXPECT_EQ(cursor, 0u) << "it begins anew";
}

}  // namespace
}  // namespace netchannel
