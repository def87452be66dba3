// SPDX-License-Identifier: Apache-2.0
#include "transport/hystart.h"

#include <gtest/gtest.h>

#include "test_support.h"

namespace netchannel::transport {
namespace {

class HyStartTest : public ::testing::Test {
 protected:
  // A round trip of `samples` ACKs.
  void Round(Duration rtt, int samples = 10) {
    for (int i = 0; i < samples; ++i) {
      hystart_.OnAck(next_ + static_cast<PacketNumber>(i), next_ + 100, rtt);
    }
    hystart_.OnAck(next_ + 99, next_ + 200, Duration::Zero());
    next_ += 100;
  }

  HyStart hystart_;
  PacketNumber next_ = 1;
};

TEST_F(HyStartTest, AConstantRttKeepsSlowStart) {
  for (int i = 0; i < 20; ++i) Round(Ms(40));
  EXPECT_FALSE(hystart_.in_css());
  EXPECT_EQ(hystart_.growth_divisor(), 1);
}

TEST_F(HyStartTest, ARiseByAnEighthEntersConservativeSlowStart) {
  Round(Ms(40));
  Round(Ms(40));
  Round(Ms(46));  // RFC 9406 section 4.2: threshold 40 / 8 = 5 ms
  EXPECT_TRUE(hystart_.in_css());
  EXPECT_EQ(hystart_.growth_divisor(), 4);
}

TEST_F(HyStartTest, ASmallerRiseDoesNot) {
  Round(Ms(40));
  Round(Ms(40));
  Round(Ms(44));
  EXPECT_FALSE(hystart_.in_css());
}

TEST_F(HyStartTest, OnPathsOfMicrosecondsAHundredAreNeeded) {
  Round(Duration::Micros(100));
  Round(Duration::Micros(190));
  EXPECT_FALSE(hystart_.in_css());
  Round(Duration::Micros(290));
  EXPECT_TRUE(hystart_.in_css());
}

TEST_F(HyStartTest, OnLongPathsSixteenMillisecondsSuffice) {
  Round(Ms(400));
  Round(Ms(400));
  Round(Ms(417));
  EXPECT_TRUE(hystart_.in_css());
}

TEST_F(HyStartTest, FewSamplesDecideNothing) {
  Round(Ms(40));
  Round(Ms(40));
  Round(Ms(60), HyStart::kRttSamples - 2);
  EXPECT_FALSE(hystart_.in_css());
}

TEST_F(HyStartTest, ATransientRiseResumesSlowStart) {
  Round(Ms(40));
  Round(Ms(40));
  Round(Ms(50));
  ASSERT_TRUE(hystart_.in_css());
  Round(Ms(41));
  EXPECT_FALSE(hystart_.in_css());
  EXPECT_FALSE(hystart_.done());
}

TEST_F(HyStartTest, FiveRoundsOfALastingRiseEndSlowStart) {
  Round(Ms(40));
  Round(Ms(40));
  Round(Ms(50));
  for (int i = 0; i < HyStart::kCssRounds; ++i) Round(Ms(55));
  EXPECT_TRUE(hystart_.done());
}

}  // namespace
}  // namespace netchannel::transport
