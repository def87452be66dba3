// SPDX-License-Identifier: Apache-2.0
#include "wire/handshake.h"

#include <gtest/gtest.h>

#include <vector>

#include "test_bytes.h"
#include "wire/packet.h"

namespace netchannel::wire {
namespace {

Hello SampleHello(int channels) {
  Hello hello{.version_min = 1,
              .version_max = 1,
              .congestion = 1,
              .capabilities = 0x80000001,
              .max_packet_size = 8972,
              .base_port = 4800,
              .rx_capacity = 4096,
              .channel_count = static_cast<uint8_t>(channels)};
  for (int i = 0; i < channels; ++i) {
    hello.channels[static_cast<size_t>(i)] = {
        .app_class = i % 2 == 0 ? AppClass::kThroughput : AppClass::kLatency,
        .lane_port = static_cast<uint16_t>(4800 + i),
        .token = 0x1000u + static_cast<uint64_t>(i)};
  }
  return hello;
}

Cookie SampleCookie(uint8_t length) {
  Cookie cookie{.length = length};
  for (uint8_t i = 0; i < length; ++i) cookie.bytes[i] = std::byte{static_cast<uint8_t>(i + 1)};
  return cookie;
}

template <typename Message>
std::vector<std::byte> BuildBytes(const Message& message) {
  std::vector<std::byte> bytes(2000, std::byte{0xee});
  bytes.resize(message.Build(absl::MakeSpan(bytes)));
  return bytes;
}

TEST(Handshake, InitSurvivesTheWire) {
  for (const int channels : {1, 2, 16}) {
    for (const uint8_t cookie : {0, 1, 40}) {
      const Init init{.nonce = 99, .hello = SampleHello(channels), .cookie = SampleCookie(cookie)};
      EXPECT_EQ(Init::Parse(BuildBytes(init)), init);
    }
  }
}

TEST(Handshake, CookieReplySurvivesTheWire) {
  const CookieReply reply{.nonce = 99, .cookie = SampleCookie(40)};
  EXPECT_EQ(CookieReply::Parse(BuildBytes(reply)), reply);
}

TEST(Handshake, AcceptSurvivesTheWire) {
  for (const int channels : {1, 16}) {
    const Accept accept{.nonce = 99, .hello = SampleHello(channels)};
    EXPECT_EQ(Accept::Parse(BuildBytes(accept)), accept);
  }
}

TEST(Handshake, RejectSurvivesTheWire) {
  const Reject reject{
      .nonce = 99, .reason = RejectReason::kBusy, .version_min = 1, .version_max = 3};
  EXPECT_EQ(Reject::Parse(BuildBytes(reject)), reject);
}

TEST(Handshake, NoAnswerIsLargerThanAnInit) {
  const size_t init = BuildBytes(Init{.nonce = 1, .hello = SampleHello(1), .cookie = {}}).size();
  EXPECT_GE(init, 1200u);
  EXPECT_LE(BuildBytes(Accept{.nonce = 1, .hello = SampleHello(16)}).size(), init);
  EXPECT_LE(BuildBytes(CookieReply{.nonce = 1, .cookie = SampleCookie(40)}).size(), init);
}

TEST(Handshake, ASmallInitIsRefused) {
  auto bytes = BuildBytes(Init{.nonce = 1, .hello = SampleHello(1), .cookie = {}});
  bytes.pop_back();
  EXPECT_FALSE(Init::Parse(bytes));
}

TEST(Handshake, InitHasTheLayoutOfTheSpecification) {
  auto bytes = BuildBytes(Init{.nonce = 0x77, .hello = SampleHello(1), .cookie = SampleCookie(2)});
  bytes.resize(20 + 16 + 12 + 3 + 1);
  EXPECT_EQ(bytes, Hex("01 01 0000 | 0000000000000000 | 0000000000000077 |"
                       "01 01 01 01 | 80000001 | 230c 12c0 | 00001000 |"
                       "00 00 12c0 0000000000001000 | 02 01 02 | 00"));
}

TEST(Handshake, AnswersCarryTheNonceAsTheirToken) {
  PacketHeader header;
  ASSERT_EQ(PacketHeader::Parse(BuildBytes(Reject{.nonce = 55}), &header), PacketError::kNone);
  EXPECT_EQ(header.token, 55u);
  EXPECT_EQ(header.number, 0u);
}

TEST(Handshake, OneTypeIsNotTakenForAnother) {
  const auto accept = BuildBytes(Accept{.nonce = 1, .hello = SampleHello(1)});
  EXPECT_FALSE(Init::Parse(accept));
  EXPECT_FALSE(CookieReply::Parse(accept));
  EXPECT_FALSE(Reject::Parse(accept));
}

TEST(Handshake, EveryTruncationIsRefused) {
  const auto accept = BuildBytes(Accept{.nonce = 1, .hello = SampleHello(2)});
  for (size_t n = 0; n < accept.size(); ++n) EXPECT_FALSE(Accept::Parse(Bytes(accept).first(n)));
  const auto cookie = BuildBytes(CookieReply{.nonce = 1, .cookie = SampleCookie(20)});
  for (size_t n = 0; n < cookie.size(); ++n) {
    EXPECT_FALSE(CookieReply::Parse(Bytes(cookie).first(n)));
  }
  const auto reject = BuildBytes(Reject{.nonce = 1});
  for (size_t n = 0; n < reject.size(); ++n) EXPECT_FALSE(Reject::Parse(Bytes(reject).first(n)));
}

TEST(Handshake, BytesBehindTheEndAreRefused) {
  for (auto bytes : {BuildBytes(Accept{.nonce = 1, .hello = SampleHello(2)}),
                     BuildBytes(CookieReply{.nonce = 1, .cookie = SampleCookie(20)}),
                     BuildBytes(Reject{.nonce = 1})}) {
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(Accept::Parse(bytes) || CookieReply::Parse(bytes) || Reject::Parse(bytes));
  }
}

TEST(Handshake, BuildSaysWhenTheBufferIsTooSmall) {
  std::vector<std::byte> small(10);
  EXPECT_EQ((Init{.nonce = 1, .hello = SampleHello(1), .cookie = {}}.Build(absl::MakeSpan(small))),
            0u);
  EXPECT_EQ((Accept{.nonce = 1, .hello = SampleHello(1)}.Build(absl::MakeSpan(small))), 0u);
  EXPECT_EQ((CookieReply{.nonce = 1, .cookie = {}}.Build(absl::MakeSpan(small))), 0u);
  EXPECT_EQ(Reject{.nonce = 1}.Build(absl::MakeSpan(small)), 0u);
}

// An INIT in which one byte is changed.
class HandshakeIllegal : public ::testing::Test {
 protected:
  bool ParsesWith(size_t at, uint8_t value) {
    auto changed = bytes_;
    changed[at] = std::byte{value};
    return Init::Parse(changed).has_value();
  }
  static constexpr size_t kHello = 20;
  static constexpr size_t kChannel = kHello + 16;
  std::vector<std::byte> bytes_ =
      BuildBytes(Init{.nonce = 1, .hello = SampleHello(1), .cookie = SampleCookie(3)});
};

TEST_F(HandshakeIllegal, TokenAndNonce) {
  EXPECT_FALSE(ParsesWith(4, 1));   // an INIT has no token
  EXPECT_FALSE(ParsesWith(19, 0));  // and a nonce that is not zero
}

TEST_F(HandshakeIllegal, Versions) {
  EXPECT_TRUE(ParsesWith(kHello + 1, 9));
  EXPECT_FALSE(ParsesWith(kHello, 0));
  EXPECT_FALSE(ParsesWith(kHello, 2));  // above the maximum
}

TEST_F(HandshakeIllegal, ChannelCount) {
  EXPECT_FALSE(ParsesWith(kHello + 3, 0));
  EXPECT_FALSE(ParsesWith(kHello + 3, 17));
}

TEST_F(HandshakeIllegal, PacketSizePortAndCapacity) {
  EXPECT_FALSE(ParsesWith(kHello + 8, 0x04));   // below 1200
  EXPECT_FALSE(ParsesWith(kHello + 14, 0x00));  // no capacity
}

TEST_F(HandshakeIllegal, Channel) {
  EXPECT_FALSE(ParsesWith(kChannel, 2));       // class
  EXPECT_FALSE(ParsesWith(kChannel + 1, 1));   // reserved
  EXPECT_FALSE(ParsesWith(kChannel + 10, 0));  // token
}

TEST_F(HandshakeIllegal, CookieLength) { EXPECT_FALSE(ParsesWith(kChannel + 12, 41)); }

TEST_F(HandshakeIllegal, Padding) {
  EXPECT_FALSE(ParsesWith(kChannel + 16, 1));
  EXPECT_FALSE(ParsesWith(1199, 1));
}

TEST(Handshake, AnAcceptThatDidNotChooseAVersionIsRefused) {
  Hello hello = SampleHello(1);
  hello.version_max = 2;
  EXPECT_FALSE(Accept::Parse(BuildBytes(Accept{.nonce = 1, .hello = hello})));
}

TEST(Handshake, AnAnswerWithoutANonceIsRefused) {
  EXPECT_FALSE(Accept::Parse(BuildBytes(Accept{.nonce = 0, .hello = SampleHello(1)})));
}

TEST(Handshake, AnUnknownRejectReasonIsRefused) {
  auto bytes = BuildBytes(Reject{.nonce = 1});
  for (const int reason : {0, 4, 255}) {
    bytes[20] = static_cast<std::byte>(reason);
    EXPECT_FALSE(Reject::Parse(bytes)) << reason;
  }
}

}  // namespace
}  // namespace netchannel::wire
