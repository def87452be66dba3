// SPDX-License-Identifier: Apache-2.0
#include "wire/handshake.h"

#include <algorithm>
#include <cstring>

#include "wire/byte_order.h"
#include "wire/packet.h"

namespace netchannel::wire {
namespace {

constexpr size_t kHelloFixedSize = 16;
constexpr size_t kChannelOfferSize = 12;
constexpr size_t kMaxHelloSize = kHelloFixedSize + kMaxChannels * kChannelOfferSize;
constexpr size_t kRejectBodySize = 4;
static_assert(kHeaderSize + kMaxHelloSize + 1 + kMaxCookieSize <= kMinInitSize,
              "INIT must hold it");
static_assert(kHeaderSize + kMaxHelloSize <= kMinInitSize, "ACCEPT must not amplify");

bool IsZero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// The body of a packet of type `type`; the other fields of its header in `header`.
std::optional<Bytes> ParseHeader(Bytes packet, PacketType type, PacketHeader* header) {
  if (PacketHeader::Parse(packet, header) != PacketError::kNone) return std::nullopt;
  if (header->type != type) return std::nullopt;
  return packet.subspan(kHeaderSize);
}

// The body of an answer, which carries the nonce as its token.
std::optional<Bytes> ParseAnswer(Bytes packet, PacketType type, uint64_t* nonce) {
  PacketHeader header;
  const auto body = ParseHeader(packet, type, &header);
  if (!body || header.token == 0 || header.number != 0) return std::nullopt;
  *nonce = header.token;
  return body;
}

bool ParseChannel(const std::byte* at, ChannelOffer* out) {
  const uint8_t app_class = Load8(at);
  out->app_class = static_cast<AppClass>(app_class);
  out->lane_port = LoadBe16(at + 2);
  out->token = LoadBe64(at + 4);
  return app_class < kAppClasses && Load8(at + 1) == 0 && out->lane_port != 0 && out->token != 0;
}

bool IsLegal(const Hello& h) {
  return h.version_min >= 1 && h.version_min <= h.version_max && h.channel_count >= 1 &&
         h.channel_count <= kMaxChannels && h.max_packet_size >= kMinPacketSize &&
         h.max_packet_size <= kMaxPacketSize && h.base_port != 0 && h.rx_capacity != 0;
}

// Parses the front of `*body` and moves behind it.
bool ParseHello(Bytes* body, Hello* out) {
  if (body->size() < kHelloFixedSize) return false;
  const std::byte* at = body->data();
  out->version_min = Load8(at);
  out->version_max = Load8(at + 1);
  out->congestion = Load8(at + 2);
  out->channel_count = Load8(at + 3);
  out->capabilities = LoadBe32(at + 4);
  out->max_packet_size = LoadBe16(at + 8);
  out->base_port = LoadBe16(at + 10);
  out->rx_capacity = LoadBe32(at + 12);
  if (!IsLegal(*out)) return false;
  body->remove_prefix(kHelloFixedSize);
  if (body->size() < out->channel_count * kChannelOfferSize) return false;
  for (size_t i = 0; i < out->channel_count; ++i) {
    if (!ParseChannel(body->data(), &out->channels[i])) return false;
    body->remove_prefix(kChannelOfferSize);
  }
  return true;
}

bool ParseCookie(Bytes* body, Cookie* out) {
  if (body->empty()) return false;
  out->length = Load8(body->data());
  body->remove_prefix(1);
  if (out->length > kMaxCookieSize || body->size() < out->length) return false;
  std::memcpy(out->bytes.data(), body->data(), out->length);
  body->remove_prefix(out->length);
  return true;
}

size_t HelloSize(const Hello& h) { return kHelloFixedSize + h.channel_count * kChannelOfferSize; }

// Returns the place behind.
std::byte* BuildHello(const Hello& h, std::byte* at) {
  Store8(at, h.version_min);
  Store8(at + 1, h.version_max);
  Store8(at + 2, h.congestion);
  Store8(at + 3, h.channel_count);
  StoreBe32(at + 4, h.capabilities);
  StoreBe16(at + 8, h.max_packet_size);
  StoreBe16(at + 10, h.base_port);
  StoreBe32(at + 12, h.rx_capacity);
  at += kHelloFixedSize;
  for (const ChannelOffer& c : h.offers()) {
    Store8(at, static_cast<uint8_t>(c.app_class));
    Store8(at + 1, 0);
    StoreBe16(at + 2, c.lane_port);
    StoreBe64(at + 4, c.token);
    at += kChannelOfferSize;
  }
  return at;
}

void BuildCookie(const Cookie& cookie, std::byte* at) {
  Store8(at, cookie.length);
  std::memcpy(at + 1, cookie.bytes.data(), cookie.length);
}

}  // namespace

std::optional<Init> Init::Parse(Bytes packet) {
  if (packet.size() < kMinInitSize) return std::nullopt;
  PacketHeader header;
  auto body = ParseHeader(packet, PacketType::kInit, &header);
  if (!body || header.token != 0 || header.number == 0) return std::nullopt;
  Init init;
  init.nonce = header.number;
  if (!ParseHello(&*body, &init.hello) || !ParseCookie(&*body, &init.cookie)) return std::nullopt;
  if (!IsZero(*body)) return std::nullopt;
  return init;
}

size_t Init::Build(MutableBytes out) const {
  if (out.size() < kMinInitSize) return 0;
  std::memset(out.data(), 0, kMinInitSize);
  PacketHeader{.type = PacketType::kInit, .token = 0, .number = nonce}.Build(out);
  BuildCookie(cookie, BuildHello(hello, out.data() + kHeaderSize));
  return kMinInitSize;
}

std::optional<CookieReply> CookieReply::Parse(Bytes packet) {
  CookieReply reply;
  auto body = ParseAnswer(packet, PacketType::kCookie, &reply.nonce);
  if (!body || !ParseCookie(&*body, &reply.cookie)) return std::nullopt;
  if (reply.cookie.length == 0 || !body->empty()) return std::nullopt;
  return reply;
}

size_t CookieReply::Build(MutableBytes out) const {
  const size_t size = kHeaderSize + 1 + cookie.length;
  if (out.size() < size) return 0;
  PacketHeader{.type = PacketType::kCookie, .token = nonce}.Build(out);
  BuildCookie(cookie, out.data() + kHeaderSize);
  return size;
}

std::optional<Accept> Accept::Parse(Bytes packet) {
  Accept accept;
  auto body = ParseAnswer(packet, PacketType::kAccept, &accept.nonce);
  if (!body || !ParseHello(&*body, &accept.hello) || !body->empty()) return std::nullopt;
  if (accept.hello.version_min != accept.hello.version_max) return std::nullopt;
  return accept;
}

size_t Accept::Build(MutableBytes out) const {
  const size_t size = kHeaderSize + HelloSize(hello);
  if (out.size() < size) return 0;
  PacketHeader{.type = PacketType::kAccept, .token = nonce}.Build(out);
  BuildHello(hello, out.data() + kHeaderSize);
  return size;
}

std::optional<Reject> Reject::Parse(Bytes packet) {
  Reject reject;
  const auto body = ParseAnswer(packet, PacketType::kReject, &reject.nonce);
  if (!body || body->size() != kRejectBodySize) return std::nullopt;
  const uint8_t reason = Load8(body->data());
  reject.reason = static_cast<RejectReason>(reason);
  reject.version_min = Load8(body->data() + 1);
  reject.version_max = Load8(body->data() + 2);
  if (reason < static_cast<uint8_t>(RejectReason::kNoCommonVersion) ||
      reason > static_cast<uint8_t>(RejectReason::kDenied) || Load8(body->data() + 3) != 0 ||
      reject.version_min > reject.version_max) {
    return std::nullopt;
  }
  return reject;
}

size_t Reject::Build(MutableBytes out) const {
  const size_t size = kHeaderSize + kRejectBodySize;
  if (out.size() < size) return 0;
  PacketHeader{.type = PacketType::kReject, .token = nonce}.Build(out);
  std::byte* at = out.data() + kHeaderSize;
  Store8(at, static_cast<uint8_t>(reason));
  Store8(at + 1, version_min);
  Store8(at + 2, version_max);
  Store8(at + 3, 0);
  return size;
}

}  // namespace netchannel::wire
