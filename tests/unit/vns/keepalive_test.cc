// SPDX-License-Identifier: Apache-2.0
//
// Keepalive: who has asked for it learns of a silent peer in his own time, and nobody else pays.
#include "vns/keepalive.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "fake_network.h"

namespace netchannel {
namespace {

constexpr KeepaliveTimes kTimes = {
    .idle = Duration::Seconds(2), .interval = Duration::Millis(500), .count = 3};
constexpr Duration kLimit = Duration::Millis(3500);
constexpr Duration kMoment = Duration::Millis(1);

Time At(int64_t ms) { return Time::FromNanos(ms * 1'000'000); }

TEST(Keepalive, AsksAfterIdleThenAtIntervalsAndGivesUpAfterTheLast) {
  Keepalive keepalive;
  const Time heard = At(1000);
  EXPECT_EQ(keepalive.Due(kTimes, heard), At(3000));
  EXPECT_EQ(keepalive.OnTimer(At(2999), kTimes, heard), Keepalive::Verdict::kWait);
  EXPECT_EQ(keepalive.OnTimer(At(3000), kTimes, heard), Keepalive::Verdict::kAsk);
  EXPECT_EQ(keepalive.OnTimer(At(3400), kTimes, heard), Keepalive::Verdict::kWait)
      << "woken for another cause";
  EXPECT_EQ(keepalive.OnTimer(At(3500), kTimes, heard), Keepalive::Verdict::kAsk);
  EXPECT_EQ(keepalive.OnTimer(At(4000), kTimes, heard), Keepalive::Verdict::kAsk);
  EXPECT_EQ(keepalive.Due(kTimes, heard), At(4500));
  EXPECT_EQ(keepalive.OnTimer(At(4500), kTimes, heard), Keepalive::Verdict::kGone);
}

TEST(Keepalive, AnAnswerBeginsANewSilence) {
  Keepalive keepalive;
  EXPECT_EQ(keepalive.OnTimer(At(3000), kTimes, At(1000)), Keepalive::Verdict::kAsk);
  EXPECT_EQ(keepalive.OnTimer(At(3500), kTimes, At(1000)), Keepalive::Verdict::kAsk);
  EXPECT_EQ(keepalive.Due(kTimes, At(3600)), At(5600));
  EXPECT_EQ(keepalive.OnTimer(At(5600), kTimes, At(3600)), Keepalive::Verdict::kAsk);
  EXPECT_EQ(keepalive.OnTimer(At(6100), kTimes, At(3600)), Keepalive::Verdict::kAsk);
  EXPECT_EQ(keepalive.OnTimer(At(6600), kTimes, At(3600)), Keepalive::Verdict::kAsk);
  EXPECT_EQ(keepalive.OnTimer(At(7100), kTimes, At(3600)), Keepalive::Verdict::kGone);
}

TEST(Keepalive, WhoHasNotLookedForLongAsksBeforeHeGivesUp) {
  Keepalive keepalive;
  EXPECT_EQ(keepalive.OnTimer(At(100'000), kTimes, At(1000)), Keepalive::Verdict::kAsk);
  EXPECT_EQ(keepalive.OnTimer(At(200'000), kTimes, At(1000)), Keepalive::Verdict::kAsk);
  EXPECT_EQ(keepalive.OnTimer(At(300'000), kTimes, At(1000)), Keepalive::Verdict::kAsk);
  EXPECT_EQ(keepalive.OnTimer(At(300'500), kTimes, At(1000)), Keepalive::Verdict::kGone);
}

class KeepaliveTest : public testing::Test {
 protected:
  void SetUp() override {
    pair_ = net_.Connected();
    heard_ = net_.now;
  }
  static void TurnOn(FakeHost& host, SocketId socket, const KeepaliveTimes& times = kTimes) {
    SocketOptions options;
    options.keepalive = true;
    options.keepalive_times = times;
    ASSERT_EQ(host.layer->SetOptions(socket, options), 0);
  }
  int ErrorOf(SocketId socket) { return a_.View(socket).error; }

  FakeNetwork net_;
  FakeHost& a_ = net_.a;
  FakeHost& b_ = net_.b;
  FakeNetwork::Pair pair_;
  Time heard_;
};

TEST_F(KeepaliveTest, AReaderLearnsOfASilentPeerInItsOwnTime) {
  TurnOn(a_, pair_.client);
  a_.port.peer_silent = true;
  net_.Advance(kLimit - kMoment);
  EXPECT_EQ(ErrorOf(pair_.client), 0);
  const std::vector<Time> asked = {heard_ + kTimes.idle, heard_ + kTimes.idle + kTimes.interval,
                                   heard_ + kTimes.idle + kTimes.interval * 2};
  EXPECT_EQ(a_.port.pings, asked);
  a_.Changed();
  net_.hold_packets = true;
  net_.Advance(kMoment);
  EXPECT_EQ(ErrorOf(pair_.client), ETIMEDOUT);
  EXPECT_EQ(a_.View(pair_.client).state, SocketState::kClosed);
  EXPECT_EQ(a_.Changed(), std::vector<SocketId>{pair_.client});
}

TEST_F(KeepaliveTest, OthersOfTheSessionThatHaveNotAskedAreLeftAlone) {
  const SocketId plain = a_.Connect(net_.now, net_.server_endpoint());
  const SocketId patient = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  TurnOn(a_, pair_.client);
  TurnOn(a_, patient, {.idle = Duration::Seconds(60), .interval = kTimes.interval, .count = 3});
  a_.port.peer_silent = true;
  net_.hold_packets = true;
  net_.Advance(Duration::Seconds(50));
  EXPECT_EQ(ErrorOf(pair_.client), ETIMEDOUT);
  EXPECT_EQ(ErrorOf(patient), 0);
  net_.Advance(Duration::Seconds(3600));
  EXPECT_EQ(ErrorOf(patient), ETIMEDOUT);
  EXPECT_EQ(ErrorOf(plain), 0);
  EXPECT_EQ(a_.View(plain).state, SocketState::kConnected);
}

TEST_F(KeepaliveTest, APeerThatAnswersIsAskedOncePerIdleTime) {
  TurnOn(a_, pair_.client);
  net_.Advance(kTimes.idle * 20);
  EXPECT_EQ(ErrorOf(pair_.client), 0);
  EXPECT_EQ(a_.port.pings.size(), 20u);
}

TEST_F(KeepaliveTest, TheShortestWishAsksForAllOfTheSession) {
  TurnOn(a_, pair_.client);
  for (int i = 0; i < 10; ++i) {
    const SocketId other = a_.Connect(net_.now, net_.server_endpoint());
    net_.Run();
    TurnOn(a_, other, {.idle = Duration::Seconds(3), .interval = kTimes.interval, .count = 3});
  }
  net_.Advance(kTimes.idle * 20);
  EXPECT_EQ(a_.port.pings.size(), 20u);
}

TEST_F(KeepaliveTest, WhatComesFromThePeerPutsTheQuestionOff) {
  TurnOn(a_, pair_.client);
  for (int i = 0; i < 10; ++i) {
    net_.Advance(kTimes.idle - kMoment);
    b_.Write(net_.now, pair_.server, "x");
    net_.Run();
  }
  EXPECT_TRUE(a_.port.pings.empty());
}

TEST_F(KeepaliveTest, WithoutTheOptionThereIsNoTimerAndNoQuestion) {
  net_.Advance(Duration::Seconds(7200 * 2));
  EXPECT_TRUE(a_.layer->NextTimeout().is_infinite());
  EXPECT_TRUE(a_.port.pings.empty());
}

TEST_F(KeepaliveTest, ByDefaultNobodyAsksForTwoHours) {
  TurnOn(a_, pair_.client, KeepaliveTimes());
  net_.Advance(Duration::Seconds(7199));
  EXPECT_TRUE(a_.port.pings.empty());
  net_.Advance(Duration::Seconds(2));
  EXPECT_EQ(a_.port.pings.size(), 1u);
}

TEST_F(KeepaliveTest, TurnedOnInTheMiddleOfASilenceItStillAsksFirst) {
  a_.port.peer_silent = true;
  net_.Advance(Duration::Seconds(60));
  TurnOn(a_, pair_.client);
  net_.Advance(kTimes.interval * 3 - kMoment);
  EXPECT_EQ(a_.port.pings.size(), 3u);
  EXPECT_EQ(ErrorOf(pair_.client), 0);
  net_.Advance(kMoment * 2);
  EXPECT_EQ(ErrorOf(pair_.client), ETIMEDOUT);
}

TEST_F(KeepaliveTest, TurnedOffItAsksNoMore) {
  TurnOn(a_, pair_.client);
  net_.Advance(kTimes.idle);
  EXPECT_EQ(a_.port.pings.size(), 1u);
  ASSERT_EQ(a_.layer->SetOptions(pair_.client, SocketOptions()), 0);
  a_.port.peer_silent = true;
  net_.Advance(Duration::Seconds(60));
  EXPECT_EQ(a_.port.pings.size(), 1u);
  EXPECT_EQ(ErrorOf(pair_.client), 0);
  EXPECT_TRUE(a_.layer->NextTimeout().is_infinite());
}

TEST_F(KeepaliveTest, SetBeforeConnectItHoldsOnceConnected) {
  const SocketId socket = a_.Create();
  TurnOn(a_, socket);
  ASSERT_EQ(a_.layer->Connect(net_.now, socket, net_.server_endpoint()), EINPROGRESS);
  net_.Run();
  a_.port.peer_silent = true;
  net_.Advance(kLimit + kMoment);
  EXPECT_EQ(ErrorOf(socket), ETIMEDOUT);
}

TEST_F(KeepaliveTest, AcceptedSocketsHaveTheirListenersKeepalive) {
  TurnOn(b_, pair_.listener);
  a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  const auto server = b_.Accept(pair_.listener);
  ASSERT_TRUE(server.has_value());
  b_.port.peer_silent = true;
  net_.Advance(kLimit + kMoment);
  EXPECT_EQ(b_.View(*server).error, ETIMEDOUT);
  EXPECT_EQ(b_.View(pair_.server).error, 0) << "accepted before the option was set";
}

TEST_F(KeepaliveTest, AClosedSocketDoesNotAsk) {
  TurnOn(a_, pair_.client);
  a_.Close(net_.now, pair_.client);  // the peer keeps its half open
  net_.Advance(Duration::Seconds(30));
  EXPECT_TRUE(a_.port.pings.empty());
}

TEST_F(KeepaliveTest, ASessionThatGoesDownMeanwhileIsNotAsked) {
  TurnOn(a_, pair_.client);
  net_.hold_handshake = true;
  a_.port.up = false;
  net_.Advance(kLimit);
  EXPECT_TRUE(a_.port.pings.empty());
}

TEST_F(KeepaliveTest, TimesThatMakeNoSenseAreRefused) {
  SocketOptions options;
  options.keepalive = true;
  options.keepalive_times.interval = Duration::Zero();
  EXPECT_EQ(a_.layer->SetOptions(pair_.client, options), EINVAL);
  options.keepalive_times = {.idle = Duration::Seconds(1), .count = KeepaliveTimes::kMaxCount + 1};
  EXPECT_EQ(a_.layer->SetOptions(pair_.client, options), EINVAL);
}

}  // namespace
}  // namespace netchannel
