// SPDX-License-Identifier: Apache-2.0
//
// Cookies that a server hands to strangers instead of keeping state for them (the idea of RFC 9000
// section 8.1 and RFC 6013): a peer that returns one has shown that it receives at its address.
//
//   cookie (20 bytes)    milliseconds 32 | first 16 bytes of HMAC-SHA256(key, milliseconds,
//   address, port, nonce)
//
// The milliseconds are those of our own clock and mean nothing to others; with them a cookie
// expires, and one that is older than a session cannot replace it (a replayed INIT). The key
// changes every kKeyLifetime; the one before stays valid, so a cookie is good for kCookieLifetime
// whatever the phase.
//
// Thread: the one that runs the driver. Memory: two keys. Errors: a cookie is valid or not.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/rng.h"
#include "base/units.h"
#include "wire/address.h"
#include "wire/handshake.h"

namespace netchannel {

inline constexpr size_t kCookieSize = 20;
static_assert(kCookieSize <= wire::kMaxCookieSize);

class CookieJar {
 public:
  // Longer than a handshake takes with all its retransmissions.
  static constexpr Duration kCookieLifetime = Duration::Seconds(10);
  static constexpr Duration kKeyLifetime = Duration::Seconds(60);
  static_assert(kCookieLifetime < kKeyLifetime, "a cookie outlives at most one change of keys");

  CookieJar(Rng* rng, Time now);

  wire::Cookie Make(Time now, const wire::IpEndpoint& peer, uint64_t nonce);
  // When the cookie was made, rounded down to milliseconds; nullopt when it is not ours or has
  // expired.
  std::optional<Time> Check(Time now, const wire::IpEndpoint& peer, uint64_t nonce,
                            const wire::Cookie& cookie);

 private:
  using Key = std::array<uint64_t, 4>;

  void RotateIfDue(Time now);
  Key FreshKey();
  static wire::Cookie Sign(const Key& key, uint32_t millis, const wire::IpEndpoint& peer,
                           uint64_t nonce);

  Rng* rng_;
  Time key_since_;
  Key key_;
  Key previous_key_;
};

}  // namespace netchannel
