// SPDX-License-Identifier: Apache-2.0
#include "netdriver/peer_networks.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace netchannel {
namespace {

constexpr uint32_t kAddressBits = 8 * sizeof(wire::IpAddress::bytes);

// The first `bits` of the address; the others are 0.
wire::IpAddress Masked(wire::IpAddress address, uint32_t bits) {
  for (uint32_t i = 0; i < address.bytes.size(); ++i) {
    const uint32_t kept = std::clamp<int>(static_cast<int>(bits) - static_cast<int>(8 * i), 0, 8);
    address.bytes[i] &= static_cast<uint8_t>(0xff00u >> kept);
  }
  return address;
}

absl::Status Refuse(std::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", std::string(text), "\" is not a prefix: ", why));
}

}  // namespace

absl::StatusOr<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = wire::IpAddress::Parse(text.substr(0, slash));
  if (!address.ok()) return Refuse(text, "write it like 10.0.0.0/8 or fd00::/64");
  const uint32_t offset = address->is_v4() ? 8 * wire::IpAddress::kV4Offset : 0;
  const uint32_t most = kAddressBits - offset;
  uint32_t length = most;
  if (slash != std::string_view::npos &&
      (!absl::SimpleAtoi(std::string(text.substr(slash + 1)), &length) || length > most)) {
    return Refuse(text, absl::StrCat("its length must be a number from 0 to ", most));
  }
  const auto bits = static_cast<uint8_t>(offset + length);
  const wire::IpAddress network = Masked(*address, bits);
  if (network != *address) {
    return Refuse(text, absl::StrCat("bits behind its length are set; write ", network.ToString(),
                                     "/", length));
  }
  return IpPrefix{*address, bits};
}

bool IpPrefix::Contains(const wire::IpAddress& other) const {
  return other.is_v4() == address.is_v4() && Masked(other, bits) == address;
}

bool PeerNetworks::Contain(const wire::IpAddress& peer) const {
  return prefixes_.empty() || std::any_of(prefixes_.begin(), prefixes_.end(),
                                          [&](const IpPrefix& p) { return p.Contains(peer); });
}

}  // namespace netchannel
