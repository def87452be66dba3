// SPDX-License-Identifier: Apache-2.0
// The two halves of a channel, over a socket pair.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

#include "base/unique_fd.h"
#include "netdriver/tcp/record_receiver.h"
#include "netdriver/tcp/record_sender.h"

namespace netchannel::tcp {
namespace {

constexpr SessionHandle kSession{1, 1};
constexpr StreamId kStream = 2;
constexpr uint64_t kRing = 256 * 1024;
constexpr ByteCount kBacklog = 256 * 1024;

std::byte PatternAt(StreamOffset offset) {
  return static_cast<std::byte>((offset * 2654435761u) >> 13);
}

// A receiver's ring that takes bytes as the virtual sockets do, and counts those that had to be
// copied.
class TestRings final : public ReceiveRings {
 public:
  std::optional<ReceiveRoom> RoomOf(SessionHandle, StreamId stream) override {
    if (!open || stream != kStream) return std::nullopt;
    return ReceiveRoom{view(), received, received + kRing};
  }
  RingView view() { return {bytes.data(), kRing}; }

  void Take(const Delivery& delivery) {
    StreamOffset at = delivery.offset;
    for (uint32_t i = 0; i < delivery.payload_count; ++i) {
      const auto part = delivery.payload[i];
      if (view().Contiguous(at, part.size()).data() != part.data()) {
        view().CopyIn(at, part);
        copied += part.size();
      }
      at += part.size();
    }
    EXPECT_EQ(at - delivery.offset, delivery.length);
    EXPECT_EQ(delivery.offset, received) << "one connection keeps the order";
    received = at;
    fin |= delivery.fin;
  }

  std::vector<std::byte> bytes = std::vector<std::byte>(kRing);
  StreamOffset received = 0;
  uint64_t copied = 0;
  bool fin = false, open = true;
};

class RecordChannelTest : public testing::Test {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    out_ = UniqueFd(fds[0]);
    in_ = UniqueFd(fds[1]);
    handle_ = *streams_.Acquire();
    StreamEntry& entry = *streams_.Find(handle_);
    entry.session = kSession;
    entry.id = kStream;
    entry.send = {ring_.data(), kRing};
    entry.source_port = entry.destination_port = 9;
    entry.receive_limit = 4711;
    for (StreamOffset i = 0; i < kRing; ++i) ring_[i] = PatternAt(i);
  }

  Segment DataAt(StreamOffset offset, uint32_t length, bool fin = false) const {
    return {.stream = handle_, .offset = offset, .length = length, .fin = fin};
  }
  RecordSender::Result SendAll() {
    auto result = RecordSender::Result::kMore;
    while (result == RecordSender::Result::kMore) result = sender_.Send(out_.get(), streams_);
    return result;
  }
  // Reads until nothing is left; what is not data is kept in others_.
  RecordReceiver::Result ReceiveAll() {
    for (;;) {
      std::vector<Delivery> deliveries;
      const auto result = receiver_.Receive(in_.get(), kSession, rings_, deliveries);
      for (const Delivery& delivery : deliveries) {
        if (delivery.type == wire::RecordType::kData) {
          rings_.Take(delivery);
        } else {
          others_.push_back(delivery.type);
        }
      }
      const bool goes_on = result == RecordReceiver::Result::kMore ||
                           (result == RecordReceiver::Result::kDrained && !deliveries.empty());
      if (!goes_on) return result;
    }
  }
  // Bytes as a peer that is not us may send them.
  void Inject(const void* data, size_t size) {
    ASSERT_EQ(send(out_.get(), data, size, MSG_NOSIGNAL), static_cast<ssize_t>(size));
  }
  void ExpectPattern(StreamOffset end) {
    ASSERT_EQ(rings_.received, end);
    for (StreamOffset i = end > kRing ? end - kRing : 0; i < end; ++i) {
      ASSERT_EQ(rings_.bytes[i % kRing], PatternAt(i % kRing)) << "offset " << i;
    }
  }

  UniqueFd out_, in_;
  std::vector<std::byte> ring_ = std::vector<std::byte>(kRing);
  StreamTable streams_{8};
  StreamHandle handle_;
  RecordSender sender_{kBacklog};
  RecordReceiver receiver_;
  TestRings rings_;
  EventQueue events_;
  std::vector<wire::RecordType> others_;
};

TEST_F(RecordChannelTest, BytesArriveAtTheirOffset) {
  ASSERT_TRUE(sender_.Enqueue(DataAt(0, 1000)));
  ASSERT_TRUE(sender_.Enqueue(DataAt(1000, 30000, /*fin=*/true)));
  EXPECT_EQ(SendAll(), RecordSender::Result::kDone);
  EXPECT_EQ(ReceiveAll(), RecordReceiver::Result::kDrained);
  ExpectPattern(31000);
  EXPECT_TRUE(rings_.fin);
}

TEST_F(RecordChannelTest, LargePayloadIsPlacedWithoutACopy) {
  constexpr uint32_t kPiece = 64 * 1024;
  StreamOffset sent = 0;
  while (sent < 64 * kPiece) {  // round the ring many times
    while (sender_.Enqueue(DataAt(sent, kPiece))) sent += kPiece;
    SendAll();
    ReceiveAll();
  }
  while (rings_.received < sent) {
    SendAll();
    ReceiveAll();
  }
  ExpectPattern(sent);
  EXPECT_LT(rings_.copied, sent / 8) << "no more than what came together with a header";
}

TEST_F(RecordChannelTest, WhatTheKernelTookAPartOfIsCompletedThoughTheStreamIsGone) {
  const int small = 4096;
  setsockopt(out_.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  ASSERT_TRUE(sender_.Enqueue(DataAt(0, 200000)));
  ASSERT_EQ(SendAll(), RecordSender::Result::kBlocked);
  ASSERT_EQ(sender_.backlog(), 0u) << "the record is under way";
  streams_.Release(handle_);
  std::memset(ring_.data(), 0, ring_.size());  // its memory is another's now
  while (rings_.received < 200000) {
    ReceiveAll();
    ASSERT_NE(SendAll(), RecordSender::Result::kFailed);
  }
  ExpectPattern(200000);
}

TEST_F(RecordChannelTest, AWholeRecordOfAStreamThatIsGoneIsNotSent) {
  ASSERT_TRUE(sender_.Enqueue(DataAt(0, 5000)));
  streams_.Release(handle_);
  EXPECT_EQ(SendAll(), RecordSender::Result::kDone);
  EXPECT_EQ(ReceiveAll(), RecordReceiver::Result::kDrained);
  EXPECT_EQ(rings_.received, 0u);
  EXPECT_EQ(sender_.backlog(), 0u);
}

TEST_F(RecordChannelTest, AnAcknowledgementReportsWhatItCovers) {
  ASSERT_TRUE(sender_.Enqueue(DataAt(0, 1000)));
  SendAll();
  ReceiveAll();
  const uint64_t first = receiver_.position();
  ASSERT_TRUE(sender_.Enqueue(DataAt(1000, 500)));
  SendAll();
  ReceiveAll();
  EXPECT_EQ(first, kRecordSize + 1000);
  EXPECT_EQ(receiver_.position(), 2 * kRecordSize + 1500);

  ASSERT_TRUE(sender_.OnAcknowledged(first + 1, kSession, events_));
  const auto event = events_.Pop();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind, DriverEvent::Kind::kAcknowledged);
  EXPECT_EQ(event->segment.length, 1000u);
  EXPECT_FALSE(events_.Pop()) << "the second record is not complete";
  EXPECT_FALSE(sender_.OnAcknowledged(receiver_.position() + 1, kSession, events_))
      << "that was never sent";
}

TEST_F(RecordChannelTest, AcknowledgementsGoWithWhateverIsSent) {
  sender_.SetReceived(4711);
  EXPECT_FALSE(sender_.wants_to_send());
  ASSERT_TRUE(sender_.Enqueue(DataAt(0, 10)));
  SendAll();
  ReceiveAll();
  EXPECT_EQ(receiver_.TakeAcknowledged(), 4711u);
  EXPECT_FALSE(receiver_.TakeAcknowledged());
}

TEST_F(RecordChannelTest, APureAcknowledgementAsksForNone) {
  sender_.SetReceived(10);
  sender_.RequestAcknowledgement();
  SendAll();
  ReceiveAll();
  EXPECT_EQ(receiver_.TakeAcknowledged(), 10u);
  EXPECT_FALSE(receiver_.TakeEliciting());
}

TEST_F(RecordChannelTest, WhatIsNotAcknowledgedIsHandedBackInOrder) {
  ASSERT_TRUE(sender_.Enqueue(DataAt(0, 1000)));
  ASSERT_TRUE(sender_.Enqueue(DataAt(1000, 1000)));
  SendAll();
  ASSERT_TRUE(sender_.Enqueue(DataAt(2000, 1000)));
  ASSERT_TRUE(sender_.OnAcknowledged(kRecordSize + 1000, kSession, events_));
  EXPECT_EQ(sender_.TakeUnacknowledged()->offset, 1000u);
  EXPECT_EQ(sender_.TakeUnacknowledged()->offset, 2000u);
  EXPECT_FALSE(sender_.TakeUnacknowledged());
}

TEST_F(RecordChannelTest, DataOfAStreamThatIsOpeningFollowsItsOpen) {
  Segment segment = DataAt(0, 10);
  segment.with_open = true;
  ASSERT_TRUE(sender_.Enqueue(segment));
  ASSERT_TRUE(sender_.Enqueue({.stream = handle_, .kind = SegmentKind::kWindow}));
  SendAll();
  ReceiveAll();
  ASSERT_EQ(others_.size(), 2u);
  EXPECT_EQ(others_[0], wire::RecordType::kOpen);
  EXPECT_EQ(others_[1], wire::RecordType::kWindow);
  EXPECT_EQ(rings_.received, 10u);
}

TEST_F(RecordChannelTest, AFullChannelTakesNoMoreData) {
  ASSERT_TRUE(sender_.Enqueue(DataAt(0, kBacklog)));
  EXPECT_EQ(sender_.capacity(), 0u);
  EXPECT_FALSE(sender_.Enqueue(DataAt(0, 1)));
  EXPECT_TRUE(sender_.Enqueue({.stream = handle_, .kind = SegmentKind::kWindow}))
      << "control is not held up by data";
  EXPECT_TRUE(sender_.EnqueueMoved(DataAt(0, 1))) << "nor is what a failed channel held";
}

TEST_F(RecordChannelTest, PayloadWithoutAPlaceIsDeliveredAllTheSame) {
  rings_.open = false;
  ASSERT_TRUE(sender_.Enqueue(DataAt(0, 100000)));
  while (rings_.received < 100000) {
    SendAll();
    ReceiveAll();
  }
  ExpectPattern(100000);
  EXPECT_EQ(rings_.copied, 100000u);
}

TEST_F(RecordChannelTest, APlaceThatIsLostMidwayIsNotWrittenTo) {
  constexpr uint32_t kLength = 64 * 1024;
  ASSERT_TRUE(sender_.Enqueue(DataAt(0, kLength)));
  const int small = 4096;
  setsockopt(out_.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  ASSERT_EQ(SendAll(), RecordSender::Result::kBlocked);
  ReceiveAll();
  ASSERT_GT(rings_.received, 0u);
  ASSERT_LT(rings_.received, kLength);
  const uint64_t copied = rings_.copied;
  const StreamOffset direct = rings_.received;
  rings_.open = false;
  while (rings_.received < kLength) {
    SendAll();
    ReceiveAll();
  }
  EXPECT_EQ(rings_.copied - copied, kLength - direct) << "all later bytes came from the buffer";
  ExpectPattern(kLength);
}

TEST_F(RecordChannelTest, RecordsMayArriveByteByByte) {
  std::byte bytes[kRecordSize + 3];
  Record{.type = wire::RecordType::kData, .length = 3, .stream = kStream, .offset = 0}.Build(bytes);
  for (StreamOffset i = 0; i < 3; ++i) bytes[kRecordSize + i] = PatternAt(i);
  for (const std::byte& byte : bytes) {
    Inject(&byte, 1);
    ASSERT_EQ(ReceiveAll(), RecordReceiver::Result::kDrained);
  }
  ExpectPattern(3);
}

TEST_F(RecordChannelTest, WhatIsNoRecordIsMalformed) {
  char garbage[kRecordSize];
  std::memset(garbage, 0xee, sizeof(garbage));
  Inject(garbage, sizeof(garbage));
  EXPECT_EQ(ReceiveAll(), RecordReceiver::Result::kMalformed);
}

TEST_F(RecordChannelTest, TheEndAndTheCloseAreTold) {
  sender_.RequestClose(wire::CloseCode::kShutdown);
  SendAll();
  EXPECT_EQ(ReceiveAll(), RecordReceiver::Result::kClosed);
  out_ = UniqueFd();
  EXPECT_EQ(ReceiveAll(), RecordReceiver::Result::kEnd);
}

}  // namespace
}  // namespace netchannel::tcp
