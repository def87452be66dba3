// SPDX-License-Identifier: Apache-2.0
//
// How sessions end: peers that vanish, restart or say goodbye, channels that fail, sessions that
// idle; and that nothing of them is left behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "test_network.h"
#include "wire/byte_order.h"
#include "wire/packet.h"

namespace netchannel {
namespace {

using Kind = DriverEvent::Kind;

class DriverFailureTest : public testing::Test {
 protected:
  void SetUp() override {
    at_a_ = Connect(a_, b_);
    at_b_ = b_.UpSession();
  }
  SessionHandle Connect(TestHost& from, TestHost& to) {
    const auto session = from.driver().Connect(network_.now(), to.endpoint());
    EXPECT_TRUE(session.ok());
    EXPECT_TRUE(network_.RunUntil([&] { return from.driver().IsUp(*session); }));
    return *session;
  }
  bool Send(TestHost& from, SessionHandle session, uint8_t channel, TestStream& stream,
            StreamOffset offset, uint32_t length) {
    Segment segment;
    segment.stream = stream.handle;
    segment.offset = offset;
    segment.length = length;
    return from.driver().Enqueue(network_.now(), session, channel, segment);
  }

  TestNetwork network_;
  TestHost& a_ = network_.AddHost();
  TestHost& b_ = network_.AddHost();
  SessionHandle at_a_, at_b_;
};

TEST_F(DriverFailureTest, AWriterLearnsOfAVanishedPeerInTime) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 1000);
  b_.Vanish();
  ASSERT_TRUE(Send(a_, at_a_, 0, stream, 0, 1000));
  ASSERT_TRUE(Send(a_, at_a_, 1, stream, 0, 1000));
  const Time start = network_.now();
  ASSERT_TRUE(network_.RunUntil([&] { return a_.DownError(at_a_).has_value(); }));
  EXPECT_EQ(a_.DownError(at_a_), ETIMEDOUT);
  EXPECT_GE(network_.now() - start, Duration::Millis(1900));
  EXPECT_LE(network_.now() - start, Duration::Millis(4500));
}

TEST_F(DriverFailureTest, AVanishedPeerIsNotWaitedForOnEachChannelInTurn) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 1000);
  b_.Vanish();
  ASSERT_TRUE(Send(a_, at_a_, 0, stream, 0, 1000));
  const Time start = network_.now();
  ASSERT_TRUE(network_.RunUntil([&] { return a_.DownError(at_a_).has_value(); }));
  EXPECT_EQ(a_.DownError(at_a_), ETIMEDOUT);
  EXPECT_LE(network_.now() - start, Duration::Millis(2300));
}

TEST_F(DriverFailureTest, AReaderLearnsOfAVanishedPeerByKeepalive) {
  a_.driver().AddReference(at_a_);
  b_.Vanish();
  ASSERT_TRUE(
      network_.RunUntil([&] { return a_.DownError(at_a_).has_value(); }, Duration::Seconds(16)));
  EXPECT_EQ(a_.DownError(at_a_), ETIMEDOUT);
}

TEST_F(DriverFailureTest, APingThatIsAnsweredSaysThatThePeerIsThere) {
  network_.RunFor(Duration::Seconds(5));
  const Time asked = network_.now();
  EXPECT_LT(*a_.driver().LastHeard(at_a_), asked);
  a_.driver().Ping(asked, at_a_);
  network_.RunFor(Duration::Millis(10));
  EXPECT_GT(*a_.driver().LastHeard(at_a_), asked);
  EXPECT_FALSE(a_.driver().LastHeard(SessionHandle{}));
}

TEST_F(DriverFailureTest, PingsThatAreNotAnsweredGoOverOneChannelAfterTheOther) {
  b_.Vanish();
  const auto channels_that_wait = [this] {
    const auto rows = a_.driver().Status().front().channels;
    return std::count_if(rows.begin(), rows.end(),
                         [](const auto& row) { return row.bytes_in_flight > 0; });
  };
  for (int asked = 1; asked <= 3; ++asked) {
    a_.driver().Ping(network_.now(), at_a_);
    network_.RunFor(Duration::Millis(10));
    EXPECT_EQ(channels_that_wait(), std::min(asked, 2)) << "there are two channels";
  }
}

TEST_F(DriverFailureTest, NothingIsLeftOfAVanishedPeer) {
  a_.driver().AddReference(at_a_);
  b_.Vanish();
  network_.RunFor(Duration::Seconds(20));
  EXPECT_EQ(a_.driver().session_count(), 0u);
  EXPECT_TRUE(a_.driver().NextTimeout().is_infinite()) << "no timer is left";
  EXPECT_FALSE(a_.driver().IsUp(at_a_));
  EXPECT_FALSE(a_.driver().PeerOf(at_a_));
}

TEST_F(DriverFailureTest, AHeldSessionIsKeptWhileThePeerAnswers) {
  a_.driver().AddReference(at_a_);
  network_.RunFor(Duration::Seconds(300));
  EXPECT_TRUE(a_.driver().IsUp(at_a_));
  EXPECT_TRUE(b_.driver().IsUp(at_b_)) << "the peer's references hold it here, too";
}

TEST_F(DriverFailureTest, AnUnusedSessionIsClosedAtBothEnds) {
  network_.RunFor(Duration::Seconds(59));
  EXPECT_TRUE(a_.driver().IsUp(at_a_));
  network_.RunFor(Duration::Seconds(2));
  EXPECT_EQ(a_.driver().session_count(), 0u);
  EXPECT_EQ(b_.driver().session_count(), 0u);
  EXPECT_TRUE(a_.DownError(at_a_).has_value());
}

TEST_F(DriverFailureTest, ASessionIsClosedAfterItsLastReferenceWasDropped) {
  a_.driver().AddReference(at_a_);
  a_.driver().AddReference(at_a_);
  network_.RunFor(Duration::Seconds(100));
  a_.driver().DropReference(network_.now(), at_a_);
  network_.RunFor(Duration::Seconds(100));
  EXPECT_TRUE(a_.driver().IsUp(at_a_));
  a_.driver().DropReference(network_.now(), at_a_);
  // The peer counts from our last keepalive.
  network_.RunFor(Duration::Seconds(49));
  EXPECT_TRUE(a_.driver().IsUp(at_a_));
  network_.RunFor(Duration::Seconds(20));
  EXPECT_FALSE(a_.driver().IsUp(at_a_));
}

TEST_F(DriverFailureTest, AClosedSessionCanBeOpenedAgain) {
  network_.RunFor(Duration::Seconds(61));
  const SessionHandle again = Connect(a_, b_);
  EXPECT_NE(again, at_a_);
  EXPECT_TRUE(a_.driver().IsUp(again));
}

TEST_F(DriverFailureTest, ShutdownTellsThePeer) {
  b_.driver().AddReference(at_b_);
  a_.driver().Shutdown(network_.now());
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(b_.DownError(at_b_), ECONNRESET);
  EXPECT_EQ(a_.driver().session_count(), 0u);
  EXPECT_EQ(b_.driver().session_count(), 0u);
}

TEST_F(DriverFailureTest, APeerThatForgotUsSaysSo) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 10);
  b_.Restart(55);
  ASSERT_TRUE(Send(a_, at_a_, 0, stream, 0, 10));
  network_.RunFor(Duration::Millis(1));
  EXPECT_GE(b_.driver().drops(DropReason::kUnknownToken), 1u);
  EXPECT_EQ(a_.DownError(at_a_), ECONNRESET);
}

TEST_F(DriverFailureTest, AStaleWithATokenThatWeDoNotUseIsIgnored) {
  std::array<std::byte, wire::kHeaderSize> stale;
  wire::BuildStale(0x1234, absl::MakeSpan(stale));
  network_.Inject(MakeFrame(b_.endpoint(), a_.endpoint(), stale));
  network_.RunFor(Duration::Millis(1));
  EXPECT_TRUE(a_.driver().IsUp(at_a_));
  EXPECT_EQ(a_.driver().drops(DropReason::kUnknownToken), 1u);
}

TEST_F(DriverFailureTest, AStaleFromAnotherHostIsIgnored) {
  network_.keep_log = true;
  TestStream& stream = a_.AddStream(at_a_, kStream, 10);
  ASSERT_TRUE(Send(a_, at_a_, 0, stream, 0, 10));
  a_.Step();
  const uint64_t token = wire::LoadBe64(ParseFrame(network_.log[0]).packet.data() + 4);
  std::array<std::byte, wire::kHeaderSize> stale;
  wire::BuildStale(token, absl::MakeSpan(stale));
  network_.Inject(MakeFrame({wire::IpAddress::V4(0x0a000063), 4700}, a_.endpoint(), stale));
  network_.RunFor(Duration::Millis(1));
  EXPECT_TRUE(a_.driver().IsUp(at_a_));
  network_.Inject(MakeFrame(b_.endpoint(), a_.endpoint(), stale));
  network_.RunFor(Duration::Millis(1));
  EXPECT_FALSE(a_.driver().IsUp(at_a_)) << "from the peer it is believed";
}

TEST_F(DriverFailureTest, AStaleIsNeverAnswered) {
  network_.keep_log = true;
  std::array<std::byte, wire::kHeaderSize> stale;
  wire::BuildStale(0x1234, absl::MakeSpan(stale));
  a_.OnFrame(MakeFrame(b_.endpoint(), a_.endpoint(), stale));
  network_.RunFor(Duration::Millis(1));
  EXPECT_TRUE(network_.log.empty());
}

TEST_F(DriverFailureTest, StaleAnswersAreLimited) {
  std::array<std::byte, wire::kHeaderSize> data;
  wire::PacketHeader{.type = wire::PacketType::kData, .token = 9, .number = 1}.Build(
      absl::MakeSpan(data));
  const FrameBytes frame = MakeFrame(b_.endpoint(), a_.endpoint(), data);
  size_t answers = 0;
  network_.filter = [&](FrameBytes& f) {
    answers += IsType(f, wire::PacketType::kStale) ? 1 : 0;
    return false;
  };
  for (int i = 0; i < 500; ++i) {
    a_.OnFrame(frame);
    a_.Step();
  }
  EXPECT_EQ(answers, 100u);
  network_.RunFor(Duration::Seconds(1));
  a_.OnFrame(frame);
  a_.Step();
  EXPECT_EQ(answers, 101u);
}

TEST_F(DriverFailureTest, AFailedChannelHandsItsBytesToTheOther) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 50'000);
  // Lane 1 leads nowhere any more.
  network_.filter = [&](FrameBytes& frame) {
    const ParsedFrame parsed = ParseFrame(frame);
    return parsed.datagram.destination.port != b_.config().base_port + 1 &&
           parsed.datagram.source.port != b_.config().base_port + 1;
  };
  const auto channels = a_.driver().Channels(at_a_);
  const uint8_t dead = channels[0].app_class == AppClass::kThroughput ? 0 : 1;
  ASSERT_TRUE(Send(a_, at_a_, dead, stream, 0, 50'000));
  ASSERT_TRUE(network_.RunUntil([&] { return a_.acknowledged_bytes == 50'000; }));
  EXPECT_TRUE(HasPattern(kStream, b_.arrived[kStream].bytes));
  EXPECT_TRUE(a_.driver().IsUp(at_a_));
  EXPECT_EQ(a_.driver().Channels(at_a_)[dead].capacity, 0u);
  EXPECT_FALSE(Send(a_, at_a_, dead, stream, 0, 10)) << "a failed channel takes nothing";
  EXPECT_TRUE(a_.driver().Status()[0].channels[dead].failed);
}

TEST_F(DriverFailureTest, AnInterruptedPathDoesNotEndTheSession) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 10'000);
  network_.filter = [](FrameBytes&) { return false; };
  ASSERT_TRUE(Send(a_, at_a_, 0, stream, 0, 10'000));
  network_.RunFor(Duration::Seconds(1));
  network_.filter = {};
  network_.RunFor(Duration::Seconds(1));
  EXPECT_EQ(a_.acknowledged_bytes, 10'000u);
  EXPECT_TRUE(a_.driver().IsUp(at_a_));
}

TEST_F(DriverFailureTest, ALostNextHopIsUsedUntilABetterOneIsKnown) {
  TestStream& stream = a_.AddStream(at_a_, kStream, 10);
  a_.hops().SetKnown(false);
  ASSERT_TRUE(Send(a_, at_a_, 0, stream, 0, 10));
  network_.RunFor(Duration::Millis(5));
  EXPECT_EQ(a_.acknowledged_bytes, 10u);
}

TEST_F(DriverFailureTest, AThousandSessionsComeUpCarryDataAndGo) {
  constexpr size_t kPeers = 1000;
  TestNetwork network;
  TestHost& server = network.AddHost();
  std::vector<TestHost*> peers;
  std::vector<SessionHandle> sessions;
  for (size_t i = 0; i < kPeers; ++i) {
    peers.push_back(&network.AddHost());
    sessions.push_back(*server.driver().Connect(network.now(), peers[i]->endpoint()));
  }
  network.RunFor(Duration::Millis(20));
  ASSERT_EQ(server.CountEvents(Kind::kSessionUp), kPeers);
  for (size_t i = 0; i < kPeers; ++i) {
    Segment segment;
    segment.kind = SegmentKind::kWindow;
    segment.stream = *server.streams().Acquire();
    server.streams().Find(segment.stream)->id = kStream;
    ASSERT_TRUE(server.driver().Enqueue(network.now(), sessions[i], 0, segment));
  }
  network.RunFor(Duration::Millis(5));
  size_t reached = 0;
  for (const TestHost* peer : peers) reached += peer->control.size();
  EXPECT_EQ(reached, kPeers);
  for (int i = 0; i < 3; ++i) server.Step();
  EXPECT_GT(server.driver().NextTimeout() - network.now(), Duration::Millis(1))
      << "idle sessions ask for nothing";
  server.driver().Shutdown(network.now());
  network.RunFor(Duration::Millis(20));
  EXPECT_EQ(server.driver().session_count(), 0u);
  size_t left = 0;
  for (TestHost* peer : peers) left += peer->driver().session_count();
  EXPECT_EQ(left, 0u);
}

}  // namespace
}  // namespace netchannel
