// SPDX-License-Identifier: Apache-2.0
#include "netdriver/handshake.h"

#include <gtest/gtest.h>

namespace netchannel {
namespace {

using Action = ClientHandshake::Action;

const Time kStart = Time::FromNanos(1'000'000'000);
constexpr Duration kTimeout = Duration::Seconds(5);

class ClientHandshakeTest : public testing::Test {
 protected:
  ClientHandshake attempt_{kStart, 42, kTimeout};
};

TEST_F(ClientHandshakeTest, SendsAtOnce) { EXPECT_EQ(attempt_.Poll(kStart), Action::kSendInit); }

TEST_F(ClientHandshakeTest, WaitsForAnAnswerAfterSending) {
  attempt_.OnInitSent(kStart);
  EXPECT_EQ(attempt_.Poll(kStart + Duration::Millis(19)), Action::kNone);
  EXPECT_EQ(attempt_.Poll(kStart + Duration::Millis(20)), Action::kSendInit);
}

TEST_F(ClientHandshakeTest, EachWaitIsTwiceTheLastUpToAQuarterOfASecond) {
  Time now = kStart;
  for (const int64_t wait : {20, 40, 80, 160, 250, 250}) {
    attempt_.OnInitSent(now);
    EXPECT_EQ(attempt_.NextTimeout(), now + Duration::Millis(wait));
    now = attempt_.NextTimeout();
  }
}

TEST_F(ClientHandshakeTest, GivesUpAtTheTimeout) {
  attempt_.OnInitSent(kStart + kTimeout - Duration::Millis(1));
  EXPECT_EQ(attempt_.NextTimeout(), kStart + kTimeout);
  EXPECT_EQ(attempt_.Poll(kStart + kTimeout), Action::kGiveUp);
}

TEST_F(ClientHandshakeTest, TheFirstCookieIsReturnedAtOnce) {
  attempt_.OnInitSent(kStart);
  attempt_.OnCookie(kStart, wire::Cookie{.length = 3, .bytes = {}});
  EXPECT_EQ(attempt_.Poll(kStart), Action::kSendInit);
  EXPECT_EQ(attempt_.cookie()->length, 3);
}

TEST_F(ClientHandshakeTest, LaterCookiesWaitForTheNextRetry) {
  attempt_.OnCookie(kStart, wire::Cookie{.length = 3, .bytes = {}});
  attempt_.OnInitSent(kStart);
  attempt_.OnCookie(kStart, wire::Cookie{.length = 4, .bytes = {}});
  EXPECT_EQ(attempt_.Poll(kStart), Action::kNone);
  EXPECT_EQ(attempt_.cookie()->length, 4);
}

TEST(JudgeInitTest, WithoutAGoodCookieOneIsSent) {
  const KnownSession known{.connecting = true, .client = true, .nonce = 1};
  EXPECT_EQ(JudgeInit(5, std::nullopt, nullptr), InitVerdict::kSendCookie);
  EXPECT_EQ(JudgeInit(5, std::nullopt, &known), InitVerdict::kSendCookie);
}

TEST(JudgeInitTest, AStrangerWithACookieGetsASession) {
  EXPECT_EQ(JudgeInit(5, kStart, nullptr), InitVerdict::kCreate);
}

TEST(JudgeInitTest, OfTwoAttemptsTheLargerNonceWins) {
  const KnownSession ours{.connecting = true, .client = true, .nonce = 10};
  EXPECT_EQ(JudgeInit(11, kStart, &ours), InitVerdict::kAdopt);
  EXPECT_EQ(JudgeInit(9, kStart, &ours), InitVerdict::kIgnore);
  EXPECT_EQ(JudgeInit(10, kStart, &ours), InitVerdict::kIgnore);
}

TEST(JudgeInitTest, TheSameInitIsAcceptedAgain) {
  const KnownSession server{.nonce = 10, .since = kStart};
  EXPECT_EQ(JudgeInit(10, kStart, &server), InitVerdict::kRepeatAccept);
}

TEST(JudgeInitTest, OurOwnNonceIsNotAccepted) {
  const KnownSession client{.client = true, .nonce = 10, .since = kStart};
  EXPECT_EQ(JudgeInit(10, kStart, &client), InitVerdict::kIgnore);
}

TEST(JudgeInitTest, AYoungerCookieReplacesTheSession) {
  const KnownSession server{.nonce = 10, .since = kStart};
  EXPECT_EQ(JudgeInit(3, kStart + Duration::Millis(1), &server), InitVerdict::kReplace);
}

TEST(JudgeInitTest, ACookieThatIsNotYoungerThanTheSessionMayBeAReplay) {
  const KnownSession server{.nonce = 10, .since = kStart};
  EXPECT_EQ(JudgeInit(3, kStart, &server), InitVerdict::kSendCookie);
  EXPECT_EQ(JudgeInit(30, kStart - Duration::Seconds(1), &server), InitVerdict::kSendCookie);
}

}  // namespace
}  // namespace netchannel
