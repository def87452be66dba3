// SPDX-License-Identifier: Apache-2.0
#include "netdriver/session_table.h"

#include <gtest/gtest.h>

#include <set>

namespace netchannel {
namespace {

wire::IpEndpoint PeerEndpoint(uint32_t n) { return {wire::IpAddress::V4(0x0a000000 + n), 4700}; }

class SessionTableTest : public testing::Test {
 protected:
  SeededRng rng_{3};
  SessionTable table_{2, &rng_};
};

TEST_F(SessionTableTest, FindsByHandleAndPeer) {
  Session* session = table_.Create(PeerEndpoint(1));
  EXPECT_EQ(table_.Find(session->handle), session);
  EXPECT_EQ(table_.FindByPeer(PeerEndpoint(1)), session);
  EXPECT_EQ(table_.FindByPeer(PeerEndpoint(2)), nullptr);
}

TEST_F(SessionTableTest, AnotherPortOfThePeerIsAnotherPeer) {
  table_.Create(PeerEndpoint(1));
  EXPECT_EQ(table_.FindByPeer({PeerEndpoint(1).address, 4701}), nullptr);
}

TEST_F(SessionTableTest, AHandleDoesNotOutliveItsSession) {
  Session* session = table_.Create(PeerEndpoint(1));
  const SessionHandle old = session->handle;
  table_.Remove(*session);
  EXPECT_EQ(table_.Find(old), nullptr);
  Session* next = table_.Create(PeerEndpoint(2));
  EXPECT_EQ(next->handle.slot, old.slot);
  EXPECT_EQ(table_.Find(old), nullptr);
}

TEST_F(SessionTableTest, AnInvalidHandleFindsNothing) {
  EXPECT_EQ(table_.Find(SessionHandle{}), nullptr);
  EXPECT_EQ(table_.Find(SessionHandle{99, 1}), nullptr);
}

TEST_F(SessionTableTest, TheLimitIsKept) {
  Session* first = table_.Create(PeerEndpoint(1));
  EXPECT_NE(table_.Create(PeerEndpoint(2)), nullptr);
  EXPECT_EQ(table_.Create(PeerEndpoint(3)), nullptr);
  table_.Remove(*first);
  EXPECT_NE(table_.Create(PeerEndpoint(3)), nullptr);
}

TEST_F(SessionTableTest, TokensNameSessionAndChannel) {
  Session* session = table_.Create(PeerEndpoint(1));
  table_.IssueTokens(*session, 4);
  std::set<uint64_t> tokens;
  for (uint8_t i = 0; i < 4; ++i) {
    const uint64_t token = session->offers[i].token;
    tokens.insert(token);
    EXPECT_EQ(table_.FindByToken(token).session, session);
    EXPECT_EQ(table_.FindByToken(token).channel, i);
  }
  EXPECT_EQ(tokens.size(), 4u);
  EXPECT_EQ(table_.FindByToken(0).session, nullptr);
}

TEST_F(SessionTableTest, TrimmedTokensAreNobodys) {
  Session* session = table_.Create(PeerEndpoint(1));
  table_.IssueTokens(*session, 4);
  const uint64_t kept = session->offers[1].token, gone = session->offers[2].token;
  table_.TrimTokens(*session, 2);
  EXPECT_EQ(session->offer_count, 2);
  EXPECT_EQ(table_.FindByToken(kept).session, session);
  EXPECT_EQ(table_.FindByToken(gone).session, nullptr);
}

TEST_F(SessionTableTest, IssuingAgainTakesTheOldTokensBack) {
  Session* session = table_.Create(PeerEndpoint(1));
  table_.IssueTokens(*session, 2);
  const uint64_t old = session->offers[0].token;
  table_.IssueTokens(*session, 2);
  EXPECT_EQ(table_.FindByToken(old).session, nullptr);
  EXPECT_EQ(table_.token_count(), 2u);
}

TEST_F(SessionTableTest, NothingIsLeftOfARemovedSession) {
  Session* session = table_.Create(PeerEndpoint(1));
  table_.IssueTokens(*session, 16);
  table_.Remove(*session);
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(table_.token_count(), 0u);
}

}  // namespace
}  // namespace netchannel
