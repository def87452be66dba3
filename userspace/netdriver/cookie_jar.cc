// SPDX-License-Identifier: Apache-2.0
#include "netdriver/cookie_jar.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>

namespace netchannel {
namespace {

constexpr size_t kMillisSize = 4;
constexpr int64_t kNanosPerMilli = 1000 * 1000;

uint32_t MillisOf(Time t) { return static_cast<uint32_t>(t.nanos() / kNanosPerMilli); }

uint8_t* PutBigEndian(uint8_t* out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<uint8_t>(value >> (8 * (bytes - 1 - i)));
  return out + bytes;
}

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

Cookie CookieJar::Sign(const Key& key, uint32_t millis, const wire::IpEndpoint& peer,
                       uint64_t nonce) {
  std::array<uint8_t, kMillisSize + 16 + 2 + 8> text;
  uint8_t* at = PutBigEndian(text.data(), millis, kMillisSize);
  at = std::copy(peer.address.bytes.begin(), peer.address.bytes.end(), at);
  at = PutBigEndian(at, peer.port, 2);
  PutBigEndian(at, nonce, 8);
  std::array<uint8_t, EVP_MAX_MD_SIZE> mac{};
  HMAC(EVP_sha256(), key.data(), sizeof(key), text.data(), text.size(), mac.data(), nullptr);
  Cookie cookie;
  std::copy_n(text.begin(), kMillisSize, cookie.begin());
  std::copy_n(mac.begin(), kCookieSize - kMillisSize, cookie.begin() + kMillisSize);
  return cookie;
}

Cookie CookieJar::Make(Time now, const wire::IpEndpoint& peer, uint64_t nonce) {
  RotateIfDue(now);
  return Sign(key_, MillisOf(now), peer, nonce);
}

std::optional<Time> CookieJar::Check(Time now, const wire::IpEndpoint& peer, uint64_t nonce,
                                     absl::Span<const uint8_t> cookie) {
  if (cookie.size() != kCookieSize) return std::nullopt;
  RotateIfDue(now);
  uint32_t millis = 0;
  for (size_t i = 0; i < kMillisSize; ++i) millis = (millis << 8) | cookie[i];
  const uint32_t age = MillisOf(now) - millis;  // modulo 2^32; one from the future is very old
  if (Duration::Millis(age) > kCookieLifetime) return std::nullopt;
  const Cookie current = Sign(key_, millis, peer, nonce);
  const Cookie before = Sign(previous_key_, millis, peer, nonce);
  if (CRYPTO_memcmp(current.data(), cookie.data(), kCookieSize) != 0 &&
      CRYPTO_memcmp(before.data(), cookie.data(), kCookieSize) != 0) {
    return std::nullopt;
  }
  const int64_t now_millis = now.nanos() / kNanosPerMilli;
  return Time::FromNanos((now_millis - age) * kNanosPerMilli);
}

}  // namespace netchannel
