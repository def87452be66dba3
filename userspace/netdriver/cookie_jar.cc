// SPDX-License-Identifier: Apache-2.0
#include "netdriver/cookie_jar.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstring>

#include "wire/byte_order.h"

namespace netchannel {
namespace {

constexpr size_t kMillisSize = 4;
constexpr int64_t kNanosPerMilli = 1000 * 1000;

uint32_t MillisOf(Time t) { return static_cast<uint32_t>(t.nanos() / kNanosPerMilli); }

}  // namespace

CookieJar::CookieJar(Rng* rng, Time now)
    : rng_(rng), key_since_(now), key_(FreshKey()), previous_key_(FreshKey()) {}

CookieJar::Key CookieJar::FreshKey() {
  return Key{rng_->Next(), rng_->Next(), rng_->Next(), rng_->Next()};
}

void CookieJar::RotateIfDue(Time now) {
  if (now - key_since_ < kKeyLifetime) return;
  previous_key_ = key_;
  key_ = FreshKey();
  key_since_ = now;
}

wire::Cookie CookieJar::Sign(const Key& key, uint32_t millis, const wire::IpEndpoint& peer,
                             uint64_t nonce) {
  std::array<std::byte, kMillisSize + 16 + 2 + 8> text;
  std::byte* at = text.data();
  wire::StoreBe32(at, millis);
  std::memcpy(at + 4, peer.address.bytes.data(), peer.address.bytes.size());
  wire::StoreBe16(at + 20, peer.port);
  wire::StoreBe64(at + 22, nonce);
  std::array<uint8_t, EVP_MAX_MD_SIZE> mac{};
  HMAC(EVP_sha256(), key.data(), sizeof(key), reinterpret_cast<const uint8_t*>(text.data()),
       text.size(), mac.data(), nullptr);
  wire::Cookie cookie;
  cookie.length = kCookieSize;
  std::memcpy(cookie.bytes.data(), text.data(), kMillisSize);
  std::memcpy(cookie.bytes.data() + kMillisSize, mac.data(), kCookieSize - kMillisSize);
  return cookie;
}

wire::Cookie CookieJar::Make(Time now, const wire::IpEndpoint& peer, uint64_t nonce) {
  RotateIfDue(now);
  return Sign(key_, MillisOf(now), peer, nonce);
}

std::optional<Time> CookieJar::Check(Time now, const wire::IpEndpoint& peer, uint64_t nonce,
                                     const wire::Cookie& cookie) {
  if (cookie.length != kCookieSize) return std::nullopt;
  RotateIfDue(now);
  const uint32_t millis = wire::LoadBe32(cookie.bytes.data());
  const uint32_t age = MillisOf(now) - millis;  // modulo 2^32; one from the future is very old
  if (Duration::Millis(age) > kCookieLifetime) return std::nullopt;
  const wire::Cookie current = Sign(key_, millis, peer, nonce);
  const wire::Cookie before = Sign(previous_key_, millis, peer, nonce);
  if (CRYPTO_memcmp(current.bytes.data(), cookie.bytes.data(), kCookieSize) != 0 &&
      CRYPTO_memcmp(before.bytes.data(), cookie.bytes.data(), kCookieSize) != 0) {
    return std::nullopt;
  }
  const int64_t now_millis = now.nanos() / kNanosPerMilli;
  return Time::FromNanos((now_millis - age) * kNanosPerMilli);
}

}  // namespace netchannel
