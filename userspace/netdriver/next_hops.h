// SPDX-License-Identifier: Apache-2.0
//
// Where frames for an IP destination go next: the link header to put in front. Implemented on
// netlink (netdriver/neighbours.h) and by a table in tests.
//
// Thread: the one that runs the driver. Errors: "not known (yet)" is nullopt.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "wire/address.h"

namespace netchannel {

struct LinkHeader {
  std::array<std::byte, 22> bytes{};  // destination, source, up to two VLAN tags, EtherType
  uint8_t length = 14;
  bool operator==(const LinkHeader&) const = default;
};

class NextHops {
 public:
  virtual ~NextHops() = default;
  // nullopt while unknown; asking starts resolution, and `version` moves when an answer may have
  // changed.
  virtual std::optional<LinkHeader> Find(const wire::IpAddress& destination) = 0;
  virtual uint64_t version() const = 0;
  // False when frames to `destination` do not leave through this host's lanes at all, now: it has
  // no route, or one through another interface. Hops that are given by hand reach everything.
  virtual bool Reaches(const wire::IpAddress& destination) {
    (void)destination;
    return true;
  }
};

}  // namespace netchannel
