// SPDX-License-Identifier: Apache-2.0
#include "vns/send_buffer.h"

#include <gtest/gtest.h>

namespace netchannel {
namespace {

class SendBufferTest : public testing::Test {
 protected:
  void SetUp() override { buffer_.Open(1000, 600, SendBuffer::Begin::kAccepted); }
  SendBuffer::Range Send(ByteCount max) {
    const auto range = buffer_.Peek(max);
    buffer_.Commit(range);
    return range;
  }
  SendBuffer buffer_;
};

TEST_F(SendBufferTest, NothingIsReadyAtFirst) { EXPECT_FALSE(buffer_.has_work()); }

TEST_F(SendBufferTest, WrittenBytesAreReadyUpToThePeersLimit) {
  ASSERT_TRUE(buffer_.Write(500));
  EXPECT_EQ(buffer_.ready(), 500u);
  ASSERT_TRUE(buffer_.Write(900));
  EXPECT_EQ(buffer_.ready(), 600u);
  buffer_.RaiseLimit(700);
  EXPECT_EQ(buffer_.ready(), 700u);
}

TEST_F(SendBufferTest, BeforeTheStreamIsAcceptedNothingIsFreed) {
  buffer_.Open(1000, 600, SendBuffer::Begin::kNotYetAccepted);
  ASSERT_TRUE(buffer_.Write(500));
  const auto first = Send(200);
  const auto second = Send(200);
  EXPECT_TRUE(buffer_.untouched());
  EXPECT_FALSE(buffer_.OnAcknowledged(second));
  EXPECT_FALSE(buffer_.OnAcknowledged(first));
  EXPECT_EQ(buffer_.una(), 0u);
  EXPECT_FALSE(buffer_.untouched());
  buffer_.OnAccepted();
  EXPECT_EQ(buffer_.una(), 400u);
  EXPECT_TRUE(buffer_.OnAcknowledged(Send(100)));
  EXPECT_EQ(buffer_.una(), 500u);
}

TEST_F(SendBufferTest, AStreamThatWasNotAcceptedBeginsAnew) {
  buffer_.Open(1000, 600, SendBuffer::Begin::kNotYetAccepted);
  ASSERT_TRUE(buffer_.Write(500));
  buffer_.RequestFin();
  EXPECT_TRUE(buffer_.OnAcknowledged(Send(1000))) << "the FIN";
  buffer_.Rewind(300);
  EXPECT_TRUE(buffer_.untouched());
  EXPECT_EQ(buffer_.ready(), 300u);
  buffer_.RaiseLimit(500);
  const auto all = Send(1000);
  EXPECT_EQ(all.offset, 0u);
  EXPECT_EQ(all.length, 500u);
  EXPECT_TRUE(all.fin);
}

TEST_F(SendBufferTest, ALimitNeverGoesBack) {
  buffer_.RaiseLimit(100);
  ASSERT_TRUE(buffer_.Write(500));
  EXPECT_EQ(buffer_.ready(), 500u);
}

TEST_F(SendBufferTest, TheWriterCannotGoBackOrBeyondTheRing) {
  ASSERT_TRUE(buffer_.Write(500));
  EXPECT_FALSE(buffer_.Write(499));
  EXPECT_FALSE(buffer_.Write(1001));
  EXPECT_FALSE(buffer_.Write(~uint64_t{0}));
  EXPECT_TRUE(buffer_.Write(1000));
}

TEST_F(SendBufferTest, RangesAreTakenInOrder) {
  ASSERT_TRUE(buffer_.Write(500));
  EXPECT_EQ(Send(200).offset, 0u);
  const auto second = Send(1000);
  EXPECT_EQ(second.offset, 200u);
  EXPECT_EQ(second.length, 300u);
  EXPECT_EQ(buffer_.ready(), 0u);
}

TEST_F(SendBufferTest, ARangeThatWasNotCommittedIsOfferedAgain) {
  ASSERT_TRUE(buffer_.Write(500));
  buffer_.Peek(200);
  EXPECT_EQ(buffer_.Peek(200).offset, 0u);
}

TEST_F(SendBufferTest, AcknowledgedBytesMakeRoom) {
  ASSERT_TRUE(buffer_.Write(1000));
  Send(600);
  EXPECT_TRUE(buffer_.OnAcknowledged({0, 600, false}));
  EXPECT_EQ(buffer_.una(), 600u);
  EXPECT_TRUE(buffer_.Write(1600));
}

TEST_F(SendBufferTest, AcknowledgementsBehindAGapCountWhenItCloses) {
  ASSERT_TRUE(buffer_.Write(600));
  Send(600);
  EXPECT_FALSE(buffer_.OnAcknowledged({200, 200, false}));
  EXPECT_FALSE(buffer_.OnAcknowledged({500, 100, false}));
  EXPECT_EQ(buffer_.una(), 0u);
  EXPECT_TRUE(buffer_.OnAcknowledged({0, 200, false}));
  EXPECT_EQ(buffer_.una(), 400u);
  EXPECT_TRUE(buffer_.OnAcknowledged({400, 100, false}));
  EXPECT_EQ(buffer_.una(), 600u);
  EXPECT_FALSE(buffer_.in_flight());
}

TEST_F(SendBufferTest, RepeatedAndForeignAcknowledgementsChangeNothing) {
  ASSERT_TRUE(buffer_.Write(600));
  Send(300);
  EXPECT_FALSE(buffer_.OnAcknowledged({0, 400, false}));  // was never sent
  EXPECT_TRUE(buffer_.OnAcknowledged({0, 300, false}));
  EXPECT_FALSE(buffer_.OnAcknowledged({0, 300, false}));
  EXPECT_EQ(buffer_.una(), 300u);
}

TEST_F(SendBufferTest, FinGoesWithTheLastByte) {
  ASSERT_TRUE(buffer_.Write(500));
  buffer_.RequestFin();
  EXPECT_FALSE(Send(499).fin);
  const auto last = Send(100);
  EXPECT_EQ(last.length, 1u);
  EXPECT_TRUE(last.fin);
  EXPECT_FALSE(buffer_.has_work());
}

TEST_F(SendBufferTest, FinGoesAloneWhenAllIsSent) {
  ASSERT_TRUE(buffer_.Write(500));
  Send(500);
  buffer_.RequestFin();
  EXPECT_TRUE(buffer_.fin_ready());
  const auto bare = Send(0);
  EXPECT_EQ(bare.length, 0u);
  EXPECT_EQ(bare.offset, 500u);
  EXPECT_TRUE(bare.fin);
}

TEST_F(SendBufferTest, FinWaitsForThePeersWindow) {
  ASSERT_TRUE(buffer_.Write(700));
  buffer_.RequestFin();
  EXPECT_FALSE(Send(1000).fin);
  EXPECT_FALSE(buffer_.has_work());
  buffer_.RaiseLimit(700);
  EXPECT_TRUE(Send(1000).fin);
}

TEST_F(SendBufferTest, FinIsInFlightUntilItIsAcknowledged) {
  buffer_.RequestFin();
  Send(0);
  EXPECT_TRUE(buffer_.in_flight());
  EXPECT_TRUE(buffer_.OnAcknowledged({0, 0, true}));
  EXPECT_TRUE(buffer_.complete());
  EXPECT_FALSE(buffer_.in_flight());
}

TEST_F(SendBufferTest, AFinThatIsAcknowledgedBeforeTheBytesDoesNotCompleteTheStream) {
  ASSERT_TRUE(buffer_.Write(500));
  buffer_.RequestFin();
  Send(300);
  Send(200);
  EXPECT_TRUE(buffer_.OnAcknowledged({300, 200, true}));
  EXPECT_FALSE(buffer_.complete());
  EXPECT_TRUE(buffer_.OnAcknowledged({0, 300, false}));
  EXPECT_TRUE(buffer_.complete());
}

TEST_F(SendBufferTest, NothingIsWrittenBehindTheEnd) {
  ASSERT_TRUE(buffer_.Write(10));
  buffer_.RequestFin();
  EXPECT_FALSE(buffer_.Write(11));
  EXPECT_TRUE(buffer_.Write(10));
}

}  // namespace
}  // namespace netchannel
