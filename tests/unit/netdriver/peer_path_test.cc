// SPDX-License-Identifier: Apache-2.0
#include "netdriver/peer_path.h"

#include <gtest/gtest.h>

#include "test_network.h"

namespace netchannel {
namespace {

class PeerPathTest : public testing::Test {
 protected:
  void Refresh() { path_.Refresh(hops_, wire::IpAddress::V4(0x0a000002)); }
  TestNextHops hops_;
  PeerPath path_;
};

TEST_F(PeerPathTest, AsksOnceAVersion) {
  Refresh();
  Refresh();
  EXPECT_EQ(hops_.finds, 1);
  hops_.SetKnown(true);
  Refresh();
  EXPECT_EQ(hops_.finds, 2);
}

TEST_F(PeerPathTest, AsksAgainWhenTold) {
  hops_.SetKnown(false);
  Refresh();
  path_.AskAgain();
  Refresh();
  EXPECT_EQ(hops_.finds, 2);
}

TEST_F(PeerPathTest, KeepsWhatItKnew) {
  Refresh();
  const uint32_t generation = path_.generation();
  hops_.SetKnown(false);
  Refresh();
  EXPECT_TRUE(path_.known());
  EXPECT_EQ(path_.generation(), generation);
}

TEST_F(PeerPathTest, AnAnswerReplacesWhatWasLearntFromAFrame) {
  LinkHeader learnt;
  learnt.bytes[0] = std::byte{0xaa};
  path_.Learn(learnt);
  const uint32_t generation = path_.generation();
  EXPECT_EQ(path_.link(), learnt);
  Refresh();
  EXPECT_NE(path_.link(), learnt);
  EXPECT_NE(path_.generation(), generation);
  path_.Learn(learnt);
  EXPECT_NE(path_.link(), learnt);
}

}  // namespace
}  // namespace netchannel
