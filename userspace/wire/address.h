// SPDX-License-Identifier: Apache-2.0
//
// IP addresses and endpoints as values, one type for both families: IPv4 is kept in its IPv4-mapped
// form (RFC 4291 section 2.5.5.2), so tables have one key. A host has an address of either family,
// or of both.
//
// Thread: values. Errors: parsing says what was wrong and what is expected.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace netchannel::wire {

struct IpAddress {
  std::array<uint8_t, 16> bytes{};  // network order

  // Where the IPv4 address lies in its mapped form.
  static constexpr size_t kV4Offset = 12;

  static constexpr IpAddress V4(uint32_t host_order) {
    return IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,  //
                      static_cast<uint8_t>(host_order >> 24),
                      static_cast<uint8_t>(host_order >> 16), static_cast<uint8_t>(host_order >> 8),
                      static_cast<uint8_t>(host_order)}};
  }
  static IpAddress V6(const std::array<uint8_t, 16>& network_order) {
    return IpAddress{network_order};
  }
  static absl::StatusOr<IpAddress> Parse(std::string_view text);

  bool is_v4() const {
    constexpr std::array<uint8_t, kV4Offset> kPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(bytes.data(), kPrefix.data(), kPrefix.size()) == 0;
  }
  bool is_unspecified() const;  // 0.0.0.0 or ::
  bool is_loopback() const;     // 127.0.0.0/8 or ::1
  // Host order. Precondition: is_v4().
  uint32_t v4() const {
    return uint32_t{bytes[12]} << 24 | uint32_t{bytes[13]} << 16 | uint32_t{bytes[14]} << 8 |
           uint32_t{bytes[15]};
  }
  std::string ToString() const;

  auto operator<=>(const IpAddress&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const IpAddress& a) {
    return H::combine(std::move(h), a.bytes);
  }
};

// A host's own addresses, at most one a family: what it sends from, and what it is reached at.
class LocalAddresses {
 public:
  LocalAddresses() = default;
  // Implicit: one address is the usual case, and reads as what it is.
  // NOLINTNEXTLINE(google-explicit-constructor)
  LocalAddresses(const IpAddress& only) { Set(only); }
  LocalAddresses(std::initializer_list<IpAddress> addresses) {
    for (const IpAddress& address : addresses) Set(address);
  }

  // Takes the place of the one of the same family. Precondition: not unspecified.
  void Set(const IpAddress& address) { own_[FamilyOf(address)] = address; }
  bool Has(const IpAddress& address) const {
    return own_[FamilyOf(address)] == address && address != IpAddress{};
  }
  // The address to reach `peer` from: the one of its family, if there is one.
  std::optional<IpAddress> For(const IpAddress& peer) const {
    const IpAddress& own = own_[FamilyOf(peer)];
    return own != IpAddress{} ? std::optional(own) : std::nullopt;
  }

 private:
  static size_t FamilyOf(const IpAddress& address) { return address.is_v4() ? 0 : 1; }

  std::array<IpAddress, 2> own_{};  // IpAddress{}: none of that family
};

struct IpEndpoint {
  IpAddress address;
  uint16_t port = 0;  // host order

  std::string ToString() const;  // "10.0.0.1:80", "[fd00::1]:80"
  auto operator<=>(const IpEndpoint&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const IpEndpoint& e) {
    return H::combine(std::move(h), e.address, e.port);
  }
};

}  // namespace netchannel::wire
