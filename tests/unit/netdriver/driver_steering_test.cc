// SPDX-License-Identifier: Apache-2.0
//
// Lanes and peers that change while sessions are up, and the class of a channel, on which both ends
// agree.
#include <gtest/gtest.h>

#include <cerrno>

#include "test_network.h"
#include "wire/handshake.h"

namespace netchannel {
namespace {

constexpr AppClass kT = AppClass::kThroughput;
constexpr AppClass kL = AppClass::kLatency;

// Offset of the first channel's class in an ACCEPT: wire/README.md.
size_t ClassOffset(const std::vector<std::byte>& packet) {
  const auto accept = wire::Accept::Parse(packet);
  // The class is the only byte that this changes.
  for (size_t at = 0; accept && at < packet.size(); ++at) {
    std::vector<std::byte> changed = packet;
    changed[at] ^= std::byte{1};
    const auto other = wire::Accept::Parse(changed);
    if (other && other->nonce == accept->nonce &&
        other->hello.channels[0].app_class != accept->hello.channels[0].app_class) {
      return at;
    }
  }
  ADD_FAILURE() << "no ACCEPT with a channel";
  return 0;
}

class DriverSteeringTest : public testing::Test {
 protected:
  SessionHandle Up(TestHost& from, TestHost& to) {
    const auto session = from.driver().Connect(network_.now(), to.endpoint());
    EXPECT_TRUE(session.ok()) << session.status();
    network_.RunFor(Duration::Millis(1));
    EXPECT_TRUE(from.driver().IsUp(*session));
    return *session;
  }
  static PeerRules Deny(const TestHost& host) {
    return PeerRules({{{host.endpoint().address, 128}, true, std::nullopt, 0}}, false);
  }
  // Sends a stream of `bytes` on the class's channel; true when all of it arrives.
  bool Transfer(TestHost& from, TestHost& to, SessionHandle session, StreamId id) {
    constexpr size_t kTransfer = 200'000;
    TestStream& stream = from.AddStream(session, id, kTransfer);
    from.SendAll(stream, session, kTransfer, 10'000, true);
    return network_.RunUntil([&] { return to.arrived[id].bytes.size() == kTransfer; }) &&
           HasPattern(id, to.arrived[id].bytes);
  }
  static uint64_t SentThrough(TestHost& host, size_t lane) { return host.lane(lane).submitted(); }

  TestNetwork network_;
  TestHost& a_ = network_.AddHost();
  TestHost& b_ = network_.AddHost();
};

TEST_F(DriverSteeringTest, BothEndsHaveTheSameClassForEachChannel) {
  TestHost& many = network_.AddHost([](DriverConfig& c) { c.channels_per_class = 4; });
  TestHost& few = network_.AddHost([](DriverConfig& c) { c.channels_per_class = 3; });
  const SessionHandle session = Up(many, few);
  const auto ours = many.driver().Channels(session);
  const auto theirs = few.driver().Channels(few.UpSession());
  ASSERT_EQ(ours.size(), 6u);
  ASSERT_EQ(theirs.size(), ours.size());
  for (size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i].app_class, theirs[i].app_class) << i;
}

TEST_F(DriverSteeringTest, AnAnswerThatChangesAChannelsClassIsNoAnswer) {
  int forged = 0;
  network_.filter = [&](FrameBytes& frame) {
    if (!IsType(frame, wire::PacketType::kAccept) || forged++ > 0) return true;
    frame = Forge(frame, [](auto& packet) { packet[ClassOffset(packet)] ^= std::byte{1}; });
    return true;
  };
  const auto session = a_.driver().Connect(network_.now(), b_.endpoint());
  EXPECT_TRUE(network_.RunUntil([&] { return a_.driver().IsUp(*session); }));
  EXPECT_GT(forged, 1);
  EXPECT_EQ(a_.driver().drops(DropReason::kBadHandshake), 1u);
  EXPECT_NE(a_.driver().Channels(*session)[0].app_class,
            a_.driver().Channels(*session)[1].app_class);
}

TEST_F(DriverSteeringTest, ALanesPacketsMoveToTheSocketItIsRoutedTo) {
  const SessionHandle session = Up(a_, b_);
  ASSERT_TRUE(Transfer(a_, b_, session, 2));
  const uint32_t from = a_.driver().LaneClass(0) == kT ? 0 : 1, to = 1 - from;
  a_.driver().SteerLane(from, kT, to);
  const uint64_t before = SentThrough(a_, from), before_other = SentThrough(a_, to);
  ASSERT_TRUE(Transfer(a_, b_, session, 4));
  EXPECT_EQ(SentThrough(a_, from), before);
  EXPECT_GT(SentThrough(a_, to), before_other + 50);
  a_.driver().SteerLane(from, kT, from);
  ASSERT_TRUE(Transfer(a_, b_, session, 6));
  EXPECT_GT(SentThrough(a_, from), before + 50);
  EXPECT_EQ(a_.TotalDrops() + b_.TotalDrops(), 0u);
}

TEST_F(DriverSteeringTest, ALanesClassIsThatOfSessionsToCome) {
  std::vector<LaneInfo> lanes = TestNetwork::TwoLanes();
  lanes.push_back(lanes[0]);
  lanes[2].index = 2;
  TestHost& host = network_.AddHost({}, lanes);
  const AppClass of_0 = host.driver().LaneClass(0);
  const AppClass other = of_0 == kT ? kL : kT;
  host.driver().SteerLane(0, other, 0);
  EXPECT_EQ(host.driver().LaneClass(0), other);
  Up(host, a_);
  const std::vector<SessionStatus> sessions = host.driver().Status();
  ASSERT_EQ(sessions.size(), 1u);
  for (const ChannelStatus& channel : sessions[0].channels) {
    EXPECT_EQ(channel.lane == 2, channel.app_class == of_0) << channel.lane;
  }
}

TEST_F(DriverSteeringTest, ADeniedPeersSessionEndsAtBothEnds) {
  const SessionHandle session = Up(a_, b_);
  a_.driver().SetPeerRules(network_.now(), Deny(b_));
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(a_.DownError(session), EHOSTUNREACH);
  EXPECT_EQ(b_.DownError(b_.UpSession()), ECONNRESET);
  EXPECT_EQ(a_.driver().session_count(), 0u);
}

TEST_F(DriverSteeringTest, ADeniedPeerIsNeitherAskedNorAnswered) {
  a_.driver().SetPeerRules(network_.now(), Deny(b_));
  EXPECT_TRUE(absl::IsUnimplemented(a_.driver().Connect(network_.now(), b_.endpoint()).status()));
  EXPECT_EQ(a_.driver().AbsenceOf(network_.now(), b_.endpoint()), Absence::kDenied);
  ASSERT_TRUE(b_.driver().Connect(network_.now(), a_.endpoint()).ok());
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(a_.driver().drops(DropReason::kDenied), 1u);
  EXPECT_EQ(a_.driver().session_count(), 0u);
  a_.driver().SetPeerRules(network_.now(), PeerRules());
  Up(a_, b_);
}

TEST_F(DriverSteeringTest, OtherPeersKeepTheirSessions) {
  TestHost& c = network_.AddHost();
  const SessionHandle to_b = Up(a_, b_), to_c = Up(a_, c);
  a_.driver().SetPeerRules(network_.now(), Deny(b_));
  network_.RunFor(Duration::Millis(1));
  EXPECT_FALSE(a_.driver().IsUp(to_b));
  EXPECT_TRUE(a_.driver().IsUp(to_c));
  EXPECT_TRUE(Transfer(a_, c, to_c, 2));
}

}  // namespace
}  // namespace netchannel
