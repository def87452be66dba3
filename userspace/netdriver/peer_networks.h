// SPDX-License-Identifier: Apache-2.0
//
// Which addresses are accelerated, as prefixes. None at all means all addresses; what is not
// reached through the stack's interface is sorted out by its routes (NextHops::Reaches).
//
// Thread: values. Errors: parsing says what was wrong and what is expected. Cost: Contain looks at
// each prefix, at most kMaxPrefixes; it is asked once a session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "wire/address.h"

namespace netchannel {

struct IpPrefix {
  wire::IpAddress address;
  uint8_t bits = 0;  // of the 128 of the address's form, so those of an IPv4 one count from 96

  // "10.0.0.0/8", "fd00::/64"; an address alone is itself. Bits behind the prefix must be 0.
  static absl::StatusOr<IpPrefix> Parse(std::string_view text);
  bool Contains(const wire::IpAddress& other) const;
  bool operator==(const IpPrefix&) const = default;
};

class PeerNetworks {
 public:
  static constexpr size_t kMaxPrefixes = 64;

  void Add(const IpPrefix& prefix) { prefixes_.push_back(prefix); }
  bool Contain(const wire::IpAddress& peer) const;

 private:
  std::vector<IpPrefix> prefixes_;
};

}  // namespace netchannel
