// SPDX-License-Identifier: Apache-2.0
#include "vns/receive_buffer.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "fake_network.h"

namespace netchannel {
namespace {

using Verdict = ReceiveBuffer::Verdict;
constexpr uint64_t kRing = 1024;
constexpr ByteCount kWindow = 512;

class ReceiveBufferTest : public testing::Test {
 protected:
  void SetUp() override { buffer_.Open({memory_.data(), kRing}, kWindow, kRing); }

  Verdict Place(StreamOffset offset, uint32_t length, bool fin = false) {
    return PlaceBytes(offset, Pattern(length, offset), fin);
  }
  Verdict PlaceBytes(StreamOffset offset, const std::string& bytes, bool fin = false) {
    const absl::Span<const std::byte> all(reinterpret_cast<const std::byte*>(bytes.data()),
                                          bytes.size());
    const std::array<absl::Span<const std::byte>, 3> pieces = {
        all.subspan(0, bytes.size() / 3), all.subspan(bytes.size() / 3, bytes.size() / 3),
        all.subspan(bytes.size() / 3 * 2)};
    return buffer_.Place(offset, static_cast<uint32_t>(bytes.size()), fin, pieces);
  }
  std::string Bytes(StreamOffset offset, size_t length) {
    std::string bytes(length, '\0');
    RingView{memory_.data(), kRing}.CopyOut(
        offset, absl::MakeSpan(reinterpret_cast<std::byte*>(bytes.data()), length));
    return bytes;
  }

  std::vector<std::byte> memory_ = std::vector<std::byte>(kRing);
  ReceiveBuffer buffer_;
};

TEST_F(ReceiveBufferTest, TheRoomIsWhatNobodyMayReadAndThePeerMaySend) {
  Place(0, 100);
  const auto room = buffer_.room();
  ASSERT_TRUE(room.has_value());
  EXPECT_EQ(room->ring.base, memory_.data());
  EXPECT_EQ(room->begin, 100u);
  EXPECT_EQ(room->end, kWindow);
  buffer_.Discard();
  EXPECT_FALSE(buffer_.room()) << "nothing may be written any more";
}

TEST_F(ReceiveBufferTest, TheWindowIsBoundedFromTheBeginningAndDoesNotGrowAboveItsBound) {
  buffer_.Open({memory_.data(), kRing}, kWindow, 200);
  EXPECT_EQ(buffer_.told_limit(), 200u);
  for (StreamOffset at = 0; at < 4000; at += 100) {
    ASSERT_EQ(Place(at, 100), Verdict::kStored);
    ASSERT_TRUE(buffer_.Consume(at + 100));
    buffer_.PollLimit();
    ASSERT_LE(buffer_.told_limit(), at + 100 + 200);
  }
  EXPECT_EQ(buffer_.told_limit(), 4200u);
}

TEST_F(ReceiveBufferTest, ASmallerBoundTakesNothingBackThatThePeerMaySend) {
  buffer_.SetMaxWindow(100);
  EXPECT_EQ(Place(0, 500), Verdict::kStored) << "it was told so before";
  ASSERT_TRUE(buffer_.Consume(400));
  EXPECT_FALSE(buffer_.PollLimit());
  ASSERT_TRUE(buffer_.Consume(500));
  EXPECT_EQ(buffer_.PollLimit(), 600u);
}

TEST_F(ReceiveBufferTest, AWindowGrowsAgainToALargerBound) {
  buffer_.Open({memory_.data(), kRing}, kWindow, 100);
  buffer_.SetMaxWindow(400);
  for (StreamOffset at = 0; at < 1000; at += 50) {
    ASSERT_EQ(Place(at, 50), Verdict::kStored);
    ASSERT_TRUE(buffer_.Consume(at + 50));
    buffer_.PollLimit();
  }
  EXPECT_EQ(buffer_.window(), 400u);
}

TEST_F(ReceiveBufferTest, BytesThatWerePutInTheirPlaceAreStored) {
  Place(0, 100);
  const std::string bytes = Pattern(200, 100);
  std::memcpy(memory_.data() + 100, bytes.data(), bytes.size());
  const absl::Span<const std::byte> piece(memory_.data() + 100, bytes.size());
  EXPECT_EQ(buffer_.Place(100, 200, false, {&piece, 1}), Verdict::kStored);
  EXPECT_EQ(buffer_.readable_end(), 300u);
  EXPECT_EQ(Bytes(0, 300), Pattern(300));
}

TEST_F(ReceiveBufferTest, BytesInOrderCanBeReadAtOnce) {
  EXPECT_EQ(Place(0, 100), Verdict::kStored);
  EXPECT_EQ(Place(100, 50), Verdict::kStored);
  EXPECT_EQ(buffer_.readable_end(), 150u);
  EXPECT_EQ(Bytes(0, 150), Pattern(150));
}

TEST_F(ReceiveBufferTest, BytesOutOfOrderWaitForTheGapToClose) {
  EXPECT_EQ(Place(200, 100), Verdict::kStored);
  EXPECT_EQ(Place(400, 50), Verdict::kStored);
  EXPECT_EQ(buffer_.readable_end(), 0u);
  EXPECT_EQ(Place(0, 200), Verdict::kStored);
  EXPECT_EQ(buffer_.readable_end(), 300u);
  EXPECT_EQ(Place(300, 100), Verdict::kStored);
  EXPECT_EQ(buffer_.readable_end(), 450u);
  EXPECT_EQ(Bytes(0, 450), Pattern(450));
}

TEST_F(ReceiveBufferTest, DuplicatesAreNothingNew) {
  Place(0, 100);
  Place(200, 100);
  EXPECT_EQ(Place(0, 100), Verdict::kNothingNew);
  EXPECT_EQ(Place(20, 30), Verdict::kNothingNew);
  EXPECT_EQ(Place(220, 30), Verdict::kNothingNew);
}

TEST_F(ReceiveBufferTest, ReadableBytesAreNeverWrittenAgain) {
  Place(0, 100);
  EXPECT_EQ(PlaceBytes(50, std::string(100, 'x')), Verdict::kStored);
  EXPECT_EQ(Bytes(0, 100), Pattern(100));
  EXPECT_EQ(Bytes(100, 50), std::string(50, 'x'));
}

TEST_F(ReceiveBufferTest, OnlyGapsAreFilledByAnOverlap) {
  Place(100, 50);
  Place(200, 50);
  EXPECT_EQ(PlaceBytes(50, std::string(250, 'x')), Verdict::kStored);
  EXPECT_EQ(Bytes(100, 50), Pattern(50, 100));
  EXPECT_EQ(Bytes(200, 50), Pattern(50, 200));
  EXPECT_EQ(Bytes(50, 50), std::string(50, 'x'));
  EXPECT_EQ(Bytes(150, 50), std::string(50, 'x'));
  EXPECT_EQ(Bytes(250, 50), std::string(50, 'x'));
}

TEST_F(ReceiveBufferTest, BytesWrapAroundTheRing) {
  for (StreamOffset at = 0; at < 4000; at += 250) {
    ASSERT_EQ(Place(at, 250), Verdict::kStored);
    ASSERT_EQ(Bytes(at, 250), Pattern(250, at));
    ASSERT_TRUE(buffer_.Consume(at + 250));
    buffer_.PollLimit();
  }
}

TEST_F(ReceiveBufferTest, DataBeyondTheToldLimitBreaksTheProtocol) {
  EXPECT_EQ(Place(0, 512), Verdict::kStored);
  EXPECT_EQ(Place(512, 1), Verdict::kBeyondWindow);
  EXPECT_TRUE(buffer_.Consume(512));
  EXPECT_EQ(Place(512, 1), Verdict::kBeyondWindow);  // the peer was not told yet
  EXPECT_TRUE(buffer_.PollLimit().has_value());
  EXPECT_EQ(Place(512, 1), Verdict::kStored);
}

TEST_F(ReceiveBufferTest, OffsetsNearTheEndOfTheNumbersBreakTheProtocol) {
  EXPECT_TRUE(ReceiveBuffer::IsViolation(Place(~uint64_t{0} - 10, 100)));
  EXPECT_TRUE(ReceiveBuffer::IsViolation(Place(uint64_t{1} << 63, 0, true)));
}

TEST_F(ReceiveBufferTest, EmptyDataWithoutFinIsNothing) {
  EXPECT_EQ(Place(0, 0), Verdict::kNothingNew);
  EXPECT_EQ(Place(~uint64_t{0}, 0), Verdict::kNothingNew);
}

TEST_F(ReceiveBufferTest, TheStreamIsCompleteWhenAllUpToFinIsHere) {
  EXPECT_EQ(Place(100, 100, true), Verdict::kStored);
  EXPECT_FALSE(buffer_.complete());
  EXPECT_EQ(Place(0, 100), Verdict::kStored);
  EXPECT_TRUE(buffer_.complete());
}

TEST_F(ReceiveBufferTest, ABareFinCompletesTheStream) {
  Place(0, 100);
  EXPECT_EQ(Place(100, 0, true), Verdict::kStored);
  EXPECT_TRUE(buffer_.complete());
  EXPECT_EQ(Place(100, 0, true), Verdict::kNothingNew);
}

TEST_F(ReceiveBufferTest, FinOnBytesThatWereHereIsNews) {
  Place(0, 100);
  EXPECT_EQ(Place(50, 50, true), Verdict::kStored);
  EXPECT_TRUE(buffer_.complete());
}

TEST_F(ReceiveBufferTest, DataBeyondFinBreaksTheProtocol) {
  Place(0, 100, true);
  EXPECT_EQ(Place(100, 1), Verdict::kBeyondFin);
}

TEST_F(ReceiveBufferTest, AFinInFrontOfReceivedDataBreaksTheProtocol) {
  Place(200, 100);
  EXPECT_EQ(Place(100, 0, true), Verdict::kBeyondFin);
}

TEST_F(ReceiveBufferTest, AFinThatMovesBreaksTheProtocol) {
  Place(100, 100, true);
  EXPECT_EQ(Place(0, 50, true), Verdict::kFinMoved);
}

TEST_F(ReceiveBufferTest, TheReaderCannotGoBackOrBeyondWhatIsHere) {
  Place(0, 100);
  EXPECT_FALSE(buffer_.Consume(101));
  EXPECT_TRUE(buffer_.Consume(60));
  EXPECT_FALSE(buffer_.Consume(59));
  EXPECT_EQ(buffer_.unread(), 40u);
}

TEST_F(ReceiveBufferTest, ALimitIsToldWhenAQuarterOfTheWindowIsConsumed) {
  Place(0, 300);
  ASSERT_TRUE(buffer_.Consume(127));
  EXPECT_FALSE(buffer_.PollLimit().has_value());
  ASSERT_TRUE(buffer_.Consume(128));
  EXPECT_EQ(buffer_.PollLimit(), kWindow + 128);
  EXPECT_FALSE(buffer_.PollLimit().has_value());
}

TEST_F(ReceiveBufferTest, AClosedWindowOpensAfterAPacketsWorth) {
  std::vector<std::byte> memory(65536);
  ReceiveBuffer buffer;
  buffer.Open({memory.data(), memory.size()}, 32768, memory.size());
  const std::string bytes(32768, 'x');
  const absl::Span<const std::byte> piece(reinterpret_cast<const std::byte*>(bytes.data()),
                                          bytes.size());
  ASSERT_EQ(buffer.Place(0, 32768, false, {&piece, 1}), Verdict::kStored);
  ASSERT_TRUE(buffer.Consume(4095));
  EXPECT_FALSE(buffer.PollLimit().has_value());
  ASSERT_TRUE(buffer.Consume(4096));
  EXPECT_EQ(buffer.PollLimit(), 32768u + 4096);
}

TEST_F(ReceiveBufferTest, NoLimitIsToldOnceTheEndIsKnown) {
  Place(0, 512, true);
  ASSERT_TRUE(buffer_.Consume(512));
  EXPECT_FALSE(buffer_.PollLimit().has_value());
}

TEST_F(ReceiveBufferTest, TheWindowDoublesWhileTheReaderKeepsUp) {
  for (StreamOffset at = 0; at < 512; at += 128) {
    Place(at, 128);
    ASSERT_TRUE(buffer_.Consume(at + 128));
    buffer_.PollLimit();
  }
  EXPECT_EQ(buffer_.window(), 1024u);
  EXPECT_LE(buffer_.told_limit(), buffer_.consumed() + kRing);
}

TEST_F(ReceiveBufferTest, TheWindowStaysWhenTheReaderFallsBehind) {
  Place(0, 512);
  StreamOffset received = 512;
  for (StreamOffset head = 0; head < 2048; head += 128) {
    ASSERT_TRUE(buffer_.Consume(head + 128));
    if (const auto limit = buffer_.PollLimit()) {
      while (received < *limit) {
        Place(received, 1);
        ++received;
      }
    }
  }
  EXPECT_EQ(buffer_.window(), kWindow);
}

TEST_F(ReceiveBufferTest, DiscardedBytesOpenTheWindowAndAreNotWritten) {
  Place(0, 100);
  buffer_.Discard();
  const auto before = memory_;
  EXPECT_EQ(PlaceBytes(100, std::string(412, 'x')), Verdict::kStored);
  EXPECT_EQ(memory_, before);
  EXPECT_EQ(buffer_.readable_end(), 100u);
  EXPECT_EQ(buffer_.PollLimit(), 512u + kWindow);
}

TEST_F(ReceiveBufferTest, EndlessGapsAreRefused) {
  std::vector<std::byte> memory(1 << 16);
  ReceiveBuffer buffer;
  buffer.Open({memory.data(), memory.size()}, memory.size(), memory.size());
  const std::byte byte{1};
  const absl::Span<const std::byte> piece(&byte, 1);
  Verdict verdict = Verdict::kStored;
  StreamOffset at = 1;
  for (; at < (1 << 16) && verdict == Verdict::kStored; at += 2) {
    verdict = buffer.Place(at, 1, false, {&piece, 1});
  }
  EXPECT_EQ(verdict, Verdict::kTooManyGaps);
}

}  // namespace
}  // namespace netchannel
