// SPDX-License-Identifier: Apache-2.0
//
// Sessions between whole drivers: how they come up, and what does not make one.
#include <gtest/gtest.h>

#include <cerrno>

#include "test_network.h"
#include "wire/handshake.h"
#include "wire/packet.h"

namespace netchannel {
namespace {

using Kind = DriverEvent::Kind;

class DriverHandshakeTest : public testing::Test {
 protected:
  SessionHandle Connect(TestHost& from, TestHost& to) {
    const auto session = from.driver().Connect(network_.now(), to.endpoint());
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? *session : SessionHandle{};
  }
  // The first frame of `type` that was sent.
  FrameBytes Captured(wire::PacketType type) {
    for (const FrameBytes& frame : network_.log) {
      if (IsType(frame, type)) return frame;
    }
    ADD_FAILURE() << "no such frame";
    return {};
  }
  FrameBytes CapturedInitWithCookie() {
    for (const FrameBytes& frame : network_.log) {
      const auto init = wire::Init::Parse(ParseFrame(frame).packet);
      if (init && init->cookie.length > 0) return frame;
    }
    ADD_FAILURE() << "no INIT with a cookie";
    return {};
  }

  TestNetwork network_;
  TestHost& a_ = network_.AddHost();
  TestHost& b_ = network_.AddHost();
};

TEST_F(DriverHandshakeTest, BothSidesComeUp) {
  const SessionHandle session = Connect(a_, b_);
  network_.RunFor(Duration::Millis(1));
  EXPECT_TRUE(a_.driver().IsUp(session));
  EXPECT_TRUE(a_.SawUp(session));
  const SessionHandle other = b_.UpSession();
  EXPECT_EQ(b_.driver().PeerOf(other), a_.endpoint());
  EXPECT_EQ(a_.driver().StreamRole(session), 0u);
  EXPECT_EQ(b_.driver().StreamRole(other), 1u);
}

TEST_F(DriverHandshakeTest, ChannelsAreOfBothClasses) {
  const SessionHandle session = Connect(a_, b_);
  EXPECT_TRUE(a_.driver().Channels(session).empty());
  network_.RunFor(Duration::Millis(1));
  const auto channels = a_.driver().Channels(session);
  ASSERT_EQ(channels.size(), 2u);
  EXPECT_NE(channels[0].app_class, channels[1].app_class);
  EXPECT_GT(channels[0].capacity, 0u);
}

TEST_F(DriverHandshakeTest, TheSmallerNumberOfChannelsIsUsed) {
  TestHost& many = network_.AddHost([](DriverConfig& c) { c.channels_per_class = 8; });
  TestHost& few = network_.AddHost([](DriverConfig& c) { c.channels_per_class = 3; });
  const SessionHandle to_few = Connect(many, few);
  const SessionHandle to_many = Connect(a_, many);
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(many.driver().Channels(to_few).size(), 6u);
  EXPECT_EQ(few.driver().Channels(few.UpSession()).size(), 6u);
  EXPECT_EQ(a_.driver().Channels(to_many).size(), 2u);
}

TEST_F(DriverHandshakeTest, ConnectingTwiceGivesTheSameSession) {
  const SessionHandle session = Connect(a_, b_);
  EXPECT_EQ(Connect(a_, b_), session);
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(Connect(a_, b_), session);
  EXPECT_EQ(a_.CountEvents(Kind::kSessionUp), 1u);
}

TEST_F(DriverHandshakeTest, NoStateIsKeptForAStrangerWithoutCookie) {
  network_.filter = [](FrameBytes& frame) { return !IsType(frame, wire::PacketType::kCookie); };
  Connect(a_, b_);
  network_.RunFor(Duration::Seconds(1));
  EXPECT_EQ(b_.driver().session_count(), 0u);
}

TEST_F(DriverHandshakeTest, AnyLostHandshakePacketIsMadeUpFor) {
  for (int lost = 0; lost < 4; ++lost) {
    TestNetwork network;
    TestHost& a = network.AddHost();
    TestHost& b = network.AddHost();
    int count = 0;
    network.filter = [&](FrameBytes&) { return count++ != lost; };
    const auto session = a.driver().Connect(network.now(), b.endpoint());
    network.RunFor(Duration::Millis(30));
    EXPECT_TRUE(a.driver().IsUp(*session)) << "frame " << lost;
    EXPECT_EQ(b.CountEvents(Kind::kSessionUp), 1u) << "frame " << lost;
    EXPECT_EQ(b.CountEvents(Kind::kSessionDown), 0u) << "frame " << lost;
  }
}

TEST_F(DriverHandshakeTest, ASilentPeerTimesOut) {
  network_.filter = [](FrameBytes&) { return false; };
  const SessionHandle session = Connect(a_, b_);
  network_.RunFor(Duration::Millis(4990));
  EXPECT_FALSE(a_.DownError(session));
  network_.RunFor(Duration::Millis(20));
  EXPECT_EQ(a_.DownError(session), ETIMEDOUT);
  EXPECT_EQ(a_.driver().session_count(), 0u);
}

TEST_F(DriverHandshakeTest, RetransmissionBacksOff) {
  int inits = 0;
  network_.filter = [&](FrameBytes& frame) {
    inits += IsType(frame, wire::PacketType::kInit) ? 1 : 0;
    return false;
  };
  Connect(a_, b_);
  network_.RunFor(Duration::Millis(19));
  EXPECT_EQ(inits, 1);
  network_.RunFor(Duration::Millis(2));
  EXPECT_EQ(inits, 2);
  network_.RunFor(Duration::Seconds(5));
  EXPECT_GE(inits, 20);
  EXPECT_LE(inits, 26);
}

TEST_F(DriverHandshakeTest, APeerWithoutNextHopIsUnreachable) {
  a_.hops().SetKnown(false);
  const SessionHandle session = Connect(a_, b_);
  network_.RunFor(Duration::Millis(5010));
  EXPECT_EQ(a_.DownError(session), EHOSTUNREACH);
  EXPECT_GT(a_.hops().finds, 3) << "resolution must be asked for again";
}

TEST_F(DriverHandshakeTest, TheHandshakeGoesOnAsSoonAsTheNextHopIsKnown) {
  a_.hops().SetKnown(false);
  const SessionHandle session = Connect(a_, b_);
  network_.RunFor(Duration::Millis(1));
  a_.hops().SetKnown(true);
  network_.RunFor(Duration::Millis(1));
  EXPECT_TRUE(a_.driver().IsUp(session));
}

TEST_F(DriverHandshakeTest, AStrangerIsAnsweredWithoutANextHop) {
  b_.hops().SetKnown(false);
  const SessionHandle session = Connect(a_, b_);
  network_.RunFor(Duration::Millis(1));
  EXPECT_TRUE(a_.driver().IsUp(session));
}

TEST_F(DriverHandshakeTest, SimultaneousOpenGivesOneSession) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    TestNetwork network;
    TestHost& a = network.AddHost();
    TestHost& b = network.AddHost();
    a.Restart(seed);
    b.Restart(seed + 100);
    const auto from_a = a.driver().Connect(network.now(), b.endpoint());
    const auto from_b = b.driver().Connect(network.now(), a.endpoint());
    network.RunFor(Duration::Millis(100));
    EXPECT_TRUE(a.SawUp(*from_a)) << "seed " << seed;
    EXPECT_TRUE(b.SawUp(*from_b)) << "seed " << seed;
    EXPECT_EQ(a.CountEvents(Kind::kSessionDown) + b.CountEvents(Kind::kSessionDown), 0u);
    EXPECT_EQ(a.driver().session_count(), 1u);
    EXPECT_NE(a.driver().StreamRole(*from_a), b.driver().StreamRole(*from_b)) << "seed " << seed;
  }
}

TEST_F(DriverHandshakeTest, SimultaneousOpenSurvivesLoss) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    TestNetwork network;
    TestHost& a = network.AddHost();
    TestHost& b = network.AddHost();
    a.Restart(seed);
    b.Restart(seed + 1000);
    SeededRng rng(seed);
    network.filter = [&](FrameBytes&) { return !rng.Chance(0.3); };
    const auto from_a = a.driver().Connect(network.now(), b.endpoint());
    network.RunFor(Duration::Micros(static_cast<int64_t>(rng.Below(100))));
    const auto from_b = b.driver().Connect(network.now(), a.endpoint());
    network.RunFor(Duration::Seconds(4));
    EXPECT_TRUE(a.driver().IsUp(*from_a)) << "seed " << seed;
    EXPECT_TRUE(b.driver().IsUp(*from_b)) << "seed " << seed;
    EXPECT_EQ(a.CountEvents(Kind::kSessionUp), 1u) << "seed " << seed;
    EXPECT_NE(a.driver().StreamRole(*from_a), b.driver().StreamRole(*from_b)) << "seed " << seed;
  }
}

TEST_F(DriverHandshakeTest, AnInitThatIsRepeatedIsAcceptedAgainWithoutASecondSession) {
  network_.keep_log = true;
  Connect(a_, b_);
  network_.RunFor(Duration::Millis(1));
  const FrameBytes init = CapturedInitWithCookie();
  network_.log.clear();
  network_.Inject(init);
  network_.RunFor(Duration::Millis(1));
  EXPECT_TRUE(IsType(Captured(wire::PacketType::kAccept), wire::PacketType::kAccept));
  EXPECT_EQ(b_.CountEvents(Kind::kSessionUp), 1u);
  EXPECT_EQ(b_.CountEvents(Kind::kSessionDown), 0u);
  EXPECT_EQ(a_.driver().drops(DropReason::kDuplicate), 1u);
}

TEST_F(DriverHandshakeTest, AReplayedInitCannotReplaceALaterSession) {
  network_.keep_log = true;
  Connect(a_, b_);
  network_.RunFor(Duration::Millis(1));
  const FrameBytes old_init = CapturedInitWithCookie();
  a_.Restart(77);
  network_.RunFor(Duration::Millis(5));
  const SessionHandle session = Connect(a_, b_);
  network_.RunFor(Duration::Millis(5));
  ASSERT_TRUE(a_.driver().IsUp(session));
  const size_t downs = b_.CountEvents(Kind::kSessionDown);
  network_.Inject(old_init);
  network_.RunFor(Duration::Millis(5));
  EXPECT_EQ(b_.CountEvents(Kind::kSessionDown), downs);
  EXPECT_TRUE(a_.driver().IsUp(session));
  EXPECT_EQ(b_.driver().drops(DropReason::kBadCookie), 1u);
}

TEST_F(DriverHandshakeTest, ACookieFromAnotherAddressIsRefused) {
  network_.keep_log = true;
  Connect(a_, b_);
  network_.RunFor(Duration::Millis(1));
  const FrameBytes init = CapturedInitWithCookie();
  const ParsedFrame parsed = ParseFrame(init);
  wire::IpEndpoint elsewhere = parsed.datagram.source;
  elsewhere.address = wire::IpAddress::V4(0x0a000063);
  network_.Inject(MakeFrame(elsewhere, parsed.datagram.destination, parsed.packet));
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(b_.driver().session_count(), 1u);
  EXPECT_EQ(b_.driver().drops(DropReason::kBadCookie), 1u);
}

TEST_F(DriverHandshakeTest, AForgedCookieIsRefused) {
  wire::Init init;
  init.nonce = 5;
  init.hello.base_port = 4700;
  init.hello.rx_capacity = 10;
  init.hello.channel_count = 1;
  init.hello.channels[0] = {.lane_port = 4700, .token = 7};
  init.cookie.length = 20;
  std::array<std::byte, wire::kMinInitSize> packet;
  ASSERT_GT(init.Build(absl::MakeSpan(packet)), 0u);
  network_.Inject(MakeFrame({wire::IpAddress::V4(0x0a000063), 4700}, b_.endpoint(), packet));
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(b_.driver().session_count(), 0u);
  EXPECT_EQ(b_.driver().drops(DropReason::kBadCookie), 1u);
}

TEST_F(DriverHandshakeTest, NeitherOfTheOwnAddressesIsAPeer) {
  const wire::IpAddress v6 = *wire::IpAddress::Parse("fd00::9");
  TestHost& both = network_.AddHost([&](DriverConfig& c) { c.addresses.Set(v6); });
  EXPECT_FALSE(both.driver().Connect(network_.now(), both.endpoint()).ok());
  EXPECT_FALSE(both.driver().Connect(network_.now(), both.endpoint_v6()).ok());
}

TEST_F(DriverHandshakeTest, ACorruptInitIsDropped) {
  network_.filter = [](FrameBytes& frame) {
    frame[frame.size() - 100] ^= std::byte{1};
    return true;
  };
  Connect(a_, b_);
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(b_.driver().session_count(), 0u);
  EXPECT_EQ(b_.driver().drops(DropReason::kBadChecksum), 1u);
}

TEST_F(DriverHandshakeTest, AMalformedInitIsDropped) {
  network_.keep_log = true;
  Connect(a_, b_);
  network_.RunFor(Duration::Millis(1));
  network_.Inject(Forge(Captured(wire::PacketType::kInit), [](auto& packet) {
    packet.back() = std::byte{1};  // not padding
  }));
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(b_.driver().drops(DropReason::kBadHandshake), 1u);
}

TEST_F(DriverHandshakeTest, AnUnaskedAcceptIsDropped) {
  network_.keep_log = true;
  Connect(a_, b_);
  network_.RunFor(Duration::Millis(1));
  network_.Inject(Forge(Captured(wire::PacketType::kAccept), [](auto& packet) {
    packet[4] ^= std::byte{1};  // the nonce
  }));
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(a_.driver().drops(DropReason::kBadHandshake), 1u);
}

TEST_F(DriverHandshakeTest, AnotherVersionIsRefusedWithAReason) {
  network_.filter = [](FrameBytes& frame) {
    if (IsType(frame, wire::PacketType::kInit)) {
      frame = Forge(frame, [](auto& packet) { packet[0] = std::byte{wire::kVersion + 1}; });
    }
    return true;
  };
  const SessionHandle session = Connect(a_, b_);
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(b_.driver().drops(DropReason::kBadVersion), 1u);
  EXPECT_EQ(a_.DownError(session), EPROTONOSUPPORT);
  EXPECT_EQ(a_.driver().AbsenceOf(network_.now(), b_.endpoint()), Absence::kRejected);
}

TEST_F(DriverHandshakeTest, AFullHostRefuses) {
  TestHost& small = network_.AddHost([](DriverConfig& c) { c.max_sessions = 1; });
  Connect(a_, small);
  network_.RunFor(Duration::Millis(1));
  const SessionHandle refused = Connect(b_, small);
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(b_.DownError(refused), ECONNREFUSED);
  EXPECT_EQ(small.driver().drops(DropReason::kSessionLimit), 1u);
  EXPECT_EQ(
      small.driver().Connect(network_.now(), {wire::IpAddress::V4(0x0a000050), 1}).status().code(),
      absl::StatusCode::kResourceExhausted);
}

TEST_F(DriverHandshakeTest, OurOwnAddressIsRefused) {
  EXPECT_FALSE(a_.driver().Connect(network_.now(), a_.endpoint()).ok());
}

TEST_F(DriverHandshakeTest, APeerThatRestartsReplacesItsSession) {
  Connect(a_, b_);
  network_.RunFor(Duration::Millis(5));
  const SessionHandle old = b_.UpSession();
  a_.Restart(99);
  const SessionHandle fresh = Connect(a_, b_);
  network_.RunFor(Duration::Millis(5));
  EXPECT_TRUE(a_.driver().IsUp(fresh));
  EXPECT_EQ(b_.DownError(old), ECONNRESET);
  EXPECT_EQ(b_.CountEvents(Kind::kSessionUp), 2u);
  EXPECT_EQ(b_.driver().session_count(), 1u);
}

TEST_F(DriverHandshakeTest, AFloodOfInitsKeepsNoState) {
  network_.keep_log = true;
  Connect(a_, b_);
  network_.RunFor(Duration::Millis(1));
  const FrameBytes frame = Captured(wire::PacketType::kInit);
  const ParsedFrame init = ParseFrame(frame);
  for (uint32_t i = 0; i < 1000; ++i) {
    network_.Inject(
        MakeFrame({wire::IpAddress::V4(0x0b000000 + i), 4700}, b_.endpoint(), init.packet));
  }
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(b_.driver().session_count(), 1u);
  EXPECT_GT(b_.driver().drops(DropReason::kReplyLimit), 0u);
}

}  // namespace
}  // namespace netchannel
