// SPDX-License-Identifier: Apache-2.0
//
// How a driver finds out that there is no NetChannel at the other end, and what it makes of that.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "test_network.h"
#include "wire/handshake.h"
#include "wire/packet.h"

namespace netchannel {
namespace {

using Kind = DriverEvent::Kind;

class DriverAbsenceTest : public testing::Test {
 protected:
  void SetUp() override { network_.keep_log = true; }

  SessionHandle Probe(TestHost& from, TestHost& to) {
    const auto session = from.driver().Probe(network_.now(), to.endpoint());
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? *session : SessionHandle{};
  }
  bool IsRefused(TestHost& from, const wire::IpEndpoint& peer) {
    return absl::IsUnimplemented(from.driver().Probe(network_.now(), peer).status());
  }
  void LoseAll() {
    network_.filter = [](FrameBytes&) { return false; };
  }
  // The answer of a host without NetChannel to the last INIT that was sent.
  Unreachable AnswerTo(const TestHost& to, size_t quoted) {
    Unreachable error;
    error.destination = to.endpoint();
    error.quoted = quoted;
    if (network_.log.empty()) {
      ADD_FAILURE() << "nothing was sent";
      return error;
    }
    const ParsedFrame frame = ParseFrame(network_.log.back());
    std::copy_n(frame.packet.begin(), std::min(quoted, sizeof(error.header)), error.header);
    return error;
  }
  int InitsUntil(Duration after) {
    inits_ = 0;
    network_.filter = [this](FrameBytes& frame) {
      inits_ += IsType(frame, wire::PacketType::kInit) ? 1 : 0;
      return false;
    };
    network_.RunFor(after);
    return inits_;
  }

  TestNetwork network_;
  TestHost& a_ = network_.AddHost();
  TestHost& b_ = network_.AddHost();
  int inits_ = 0;
};

TEST_F(DriverAbsenceTest, AProbeOfANetChannelPeerIsAConnect) {
  const SessionHandle session = Probe(a_, b_);
  network_.RunFor(Duration::Millis(1));
  EXPECT_TRUE(a_.driver().IsUp(session));
  EXPECT_EQ(Probe(a_, b_), session);
  network_.RunFor(Duration::Seconds(1));
  EXPECT_EQ(a_.CountEvents(Kind::kPeerAbsent), 0u);
}

TEST_F(DriverAbsenceTest, AnUnreachablePortEndsAProbeAtOnce) {
  network_.filter = [&](FrameBytes& frame) {
    network_.log.push_back(frame);
    return false;
  };
  const SessionHandle session = Probe(a_, b_);
  network_.RunFor(Duration::Millis(1));
  a_.driver().OnUnreachable(network_.now(), AnswerTo(b_, wire::kHeaderSize));
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(a_.DownError(session), EPROTONOSUPPORT);
  EXPECT_EQ(a_.driver().session_count(), 0u);
  EXPECT_EQ(a_.driver().AbsenceOf(network_.now(), b_.endpoint()), Absence::kUnreachable);
}

TEST_F(DriverAbsenceTest, WhoIsPatientGoesOnAskingAfterAnError) {
  network_.filter = [&](FrameBytes& frame) {
    network_.log.push_back(frame);
    return false;
  };
  const auto session = a_.driver().Connect(network_.now(), b_.endpoint());
  EXPECT_EQ(Probe(a_, b_), *session);
  network_.RunFor(Duration::Millis(1));
  a_.driver().OnUnreachable(network_.now(), AnswerTo(b_, wire::kHeaderSize));
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(a_.CountEvents(Kind::kPeerAbsent), 1u);
  EXPECT_TRUE(IsRefused(a_, b_.endpoint()));
  EXPECT_EQ(a_.DownError(*session), std::nullopt);
  network_.filter = {};
  network_.RunFor(Duration::Millis(100));
  EXPECT_TRUE(a_.driver().IsUp(*session));
}

TEST_F(DriverAbsenceTest, AnErrorThatQuotesNoPayloadCounts) {
  LoseAll();
  const SessionHandle session = Probe(a_, b_);
  network_.RunFor(Duration::Millis(1));
  a_.driver().OnUnreachable(network_.now(), Unreachable{.destination = b_.endpoint()});
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(a_.DownError(session), EPROTONOSUPPORT);
}

TEST_F(DriverAbsenceTest, AnErrorAboutAnotherPacketIsIgnored) {
  network_.filter = [&](FrameBytes& frame) {
    network_.log.push_back(frame);
    return false;
  };
  const SessionHandle session = Probe(a_, b_);
  network_.RunFor(Duration::Millis(1));
  const Unreachable ours = AnswerTo(b_, wire::kHeaderSize);
  Unreachable other_nonce = ours;
  other_nonce.header[wire::kHeaderSize - 1] ^= std::byte{1};
  Unreachable other_type = ours;
  other_type.header[1] = static_cast<std::byte>(wire::PacketType::kData);
  Unreachable other_port = ours;
  other_port.destination.port += 1;
  for (const Unreachable& error : {other_nonce, other_type, other_port}) {
    a_.driver().OnUnreachable(network_.now(), error);
  }
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(a_.DownError(session), std::nullopt);
}

TEST_F(DriverAbsenceTest, AnErrorWithoutItsTokenDoesNotEndASession) {
  const SessionHandle session = Probe(a_, b_);
  network_.RunFor(Duration::Millis(1));
  ASSERT_TRUE(a_.driver().IsUp(session));
  Unreachable error{.destination = b_.endpoint(), .port = true};
  a_.driver().OnUnreachable(network_.now(), error);
  error.quoted = wire::kHeaderSize;
  wire::PacketHeader{.type = wire::PacketType::kData, .token = 12345, .number = 1}.Build(
      absl::MakeSpan(error.header));
  a_.driver().OnUnreachable(network_.now(), error);
  EXPECT_TRUE(a_.driver().IsUp(session));
  EXPECT_EQ(a_.driver().AbsenceOf(network_.now(), b_.endpoint()), std::nullopt);
}

TEST_F(DriverAbsenceTest, APeerWhoseStackHasDiedIsKnownByTheFirstPacketThatComesBack) {
  const SessionHandle session = Probe(a_, b_);
  network_.RunFor(Duration::Millis(1));
  ASSERT_TRUE(a_.driver().IsUp(session));
  b_.Vanish();
  network_.log.clear();
  TestStream& stream = a_.AddStream(session, 2, 100);
  a_.SendAll(stream, session, 100, 100, false);
  network_.RunFor(Duration::Micros(100));
  Unreachable error = AnswerTo(b_, wire::kHeaderSize);
  a_.driver().OnUnreachable(network_.now(), error);
  EXPECT_TRUE(a_.driver().IsUp(session)) << "a host or network may be back soon";
  error.port = true;
  a_.driver().OnUnreachable(network_.now(), error);
  network_.RunFor(Duration::Micros(100));
  EXPECT_EQ(a_.DownError(session), ECONNRESET);
  EXPECT_EQ(a_.driver().session_count(), 0u);
}

TEST_F(DriverAbsenceTest, SilenceIsToldAfterTheProbeTime) {
  LoseAll();
  const SessionHandle session = Probe(a_, b_);
  network_.RunFor(a_.config().probe_time - Duration::Millis(1));
  EXPECT_EQ(a_.CountEvents(Kind::kPeerAbsent), 0u);
  network_.RunFor(Duration::Millis(2));
  EXPECT_EQ(a_.CountEvents(Kind::kPeerAbsent), 1u);
  EXPECT_EQ(a_.DownError(session), std::nullopt) << "a late answer may come yet";
  EXPECT_TRUE(IsRefused(a_, b_.endpoint()));
  EXPECT_EQ(a_.driver().AbsenceOf(network_.now(), b_.endpoint()), Absence::kSilent);
}

TEST_F(DriverAbsenceTest, ASilentPeerIsNotAskedOn) {
  Probe(a_, b_);
  EXPECT_GT(InitsUntil(a_.config().probe_time), 2);
  EXPECT_EQ(InitsUntil(Duration::Seconds(3)), 0);
}

TEST_F(DriverAbsenceTest, WhoIsPatientGoesOnAsking) {
  const SessionHandle session = Probe(a_, b_);
  EXPECT_EQ(*a_.driver().Connect(network_.now(), b_.endpoint()), session);
  InitsUntil(a_.config().probe_time + Duration::Millis(1));
  EXPECT_EQ(a_.CountEvents(Kind::kPeerAbsent), 1u);
  EXPECT_GT(InitsUntil(Duration::Seconds(1)), 2);
  network_.RunFor(Duration::Seconds(5));
  EXPECT_EQ(a_.DownError(session), ETIMEDOUT);
}

TEST_F(DriverAbsenceTest, APatientConnectAsksAPeerThatWasSilent) {
  Probe(a_, b_);
  InitsUntil(Duration::Seconds(1));
  network_.filter = {};
  const auto session = a_.driver().Connect(network_.now(), b_.endpoint());
  network_.RunFor(Duration::Millis(1));
  EXPECT_TRUE(a_.driver().IsUp(*session));
  EXPECT_EQ(a_.driver().AbsenceOf(network_.now(), b_.endpoint()), std::nullopt);
}

TEST_F(DriverAbsenceTest, AnAnswerAfterTheProbeTimeStillCounts) {
  FrameBytes held;
  network_.filter = [&](FrameBytes& frame) {
    if (IsType(frame, wire::PacketType::kCookie)) held = frame;
    return !IsType(frame, wire::PacketType::kCookie);
  };
  const SessionHandle session = Probe(a_, b_);
  network_.RunFor(Duration::Seconds(1));
  ASSERT_TRUE(IsRefused(a_, b_.endpoint()));
  ASSERT_FALSE(held.empty());
  network_.filter = {};
  network_.Inject(held);
  network_.RunFor(Duration::Millis(1));
  EXPECT_TRUE(a_.driver().IsUp(session));
  EXPECT_EQ(Probe(a_, b_), session);
}

TEST_F(DriverAbsenceTest, ANegativeAnswerIsForgottenAfterItsTime) {
  LoseAll();
  Probe(a_, b_);
  network_.RunFor(a_.config().probe_time + Duration::Millis(1));
  EXPECT_TRUE(IsRefused(a_, b_.endpoint()));
  network_.filter = {};
  network_.RunFor(a_.config().absent_time);
  const SessionHandle session = Probe(a_, b_);
  network_.RunFor(Duration::Millis(1));
  EXPECT_TRUE(a_.driver().IsUp(session));
}

TEST_F(DriverAbsenceTest, APeerThatIsHeardIsThere) {
  LoseAll();
  Probe(a_, b_);
  network_.RunFor(Duration::Seconds(1));
  ASSERT_TRUE(IsRefused(a_, b_.endpoint()));
  // Its first INIT is enough, whatever becomes of the handshake.
  network_.filter = [](FrameBytes& frame) { return IsType(frame, wire::PacketType::kInit); };
  ASSERT_TRUE(b_.driver().Connect(network_.now(), a_.endpoint()).ok());
  network_.RunFor(Duration::Millis(1));
  EXPECT_FALSE(IsRefused(a_, b_.endpoint()));
}

// Whoever has the larger nonce: the one that had stopped asking must not leave the other waiting.
TEST_F(DriverAbsenceTest, APeerThatAsksLaterComesUpWithUs) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    TestNetwork network;
    TestHost& a = network.AddHost();
    TestHost& b = network.AddHost();
    a.Restart(seed);
    network.filter = [](FrameBytes&) { return false; };
    ASSERT_TRUE(a.driver().Probe(network.now(), b.endpoint()).ok());
    network.RunFor(Duration::Seconds(1));
    network.filter = {};
    const auto session = b.driver().Connect(network.now(), a.endpoint());
    network.RunFor(Duration::Millis(30));
    EXPECT_TRUE(b.driver().IsUp(*session)) << "seed " << seed;
  }
}

TEST_F(DriverAbsenceTest, OwnAddressesAndOtherFamiliesAreExcluded) {
  const wire::IpEndpoint own = a_.endpoint();
  const wire::IpEndpoint any{wire::IpAddress::V4(0), own.port};
  EXPECT_TRUE(IsRefused(a_, own));
  EXPECT_EQ(a_.driver().AbsenceOf(network_.now(), own), Absence::kOwnAddress);
  EXPECT_EQ(a_.driver().AbsenceOf(network_.now(), any), Absence::kOwnAddress);
  for (const char* loopback : {"127.0.0.1", "127.1.2.3", "::1"}) {
    const wire::IpEndpoint peer{*wire::IpAddress::Parse(loopback), own.port};
    EXPECT_EQ(a_.driver().AbsenceOf(network_.now(), peer), Absence::kOwnAddress) << loopback;
  }
  TestHost& v4_only = network_.AddHost(
      [](DriverConfig& c) { c.addresses = wire::LocalAddresses(wire::IpAddress::V4(0x0a000063)); });
  const wire::IpEndpoint v6{*wire::IpAddress::Parse("fd00::77"), own.port};
  EXPECT_TRUE(IsRefused(v4_only, v6));
  EXPECT_EQ(v4_only.driver().AbsenceOf(network_.now(), v6), Absence::kNoFamily);
}

TEST_F(DriverAbsenceTest, WhatTheRoutesDoNotReachIsExcluded) {
  a_.hops().SetReaches(false);
  EXPECT_TRUE(IsRefused(a_, b_.endpoint()));
  EXPECT_TRUE(absl::IsUnimplemented(a_.driver().Connect(network_.now(), b_.endpoint()).status()));
  EXPECT_EQ(a_.driver().AbsenceOf(network_.now(), b_.endpoint()), Absence::kNotRouted);
  a_.hops().SetReaches(true);
  EXPECT_FALSE(IsRefused(a_, b_.endpoint()));
}

TEST_F(DriverAbsenceTest, ConfiguredNetworksHoldBothWays) {
  TestHost& closed =
      network_.AddHost([](DriverConfig& c) { c.networks.Add(*IpPrefix::Parse("192.0.2.0/24")); });
  EXPECT_TRUE(IsRefused(closed, a_.endpoint()));
  EXPECT_EQ(closed.driver().AbsenceOf(network_.now(), a_.endpoint()), Absence::kOutsideNetworks);
  const SessionHandle session = Probe(a_, closed);
  network_.RunFor(Duration::Millis(1));
  EXPECT_EQ(a_.DownError(session), EPROTONOSUPPORT);
  EXPECT_EQ(a_.driver().AbsenceOf(network_.now(), closed.endpoint()), Absence::kRejected);
  EXPECT_EQ(closed.driver().drops(DropReason::kDenied), 1u);
  EXPECT_EQ(closed.driver().session_count(), 0u);
}

}  // namespace
}  // namespace netchannel
