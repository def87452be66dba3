// SPDX-License-Identifier: Apache-2.0
//
// Next hops from a table that is filled before the run: every host knows every other's address.
// Owner: the simulated host. Thread: one.
#pragma once

#include <cstring>
#include <map>
#include <optional>

#include "netdriver/driver.h"
#include "sim/packet_headers.h"
#include "wire/address.h"

namespace netchannel::sim {

class FixedNextHops final : public NextHops {
 public:
  explicit FixedNextHops(const MacAddress& own) : own_(own) {}

  void Add(const wire::IpAddress& destination, const MacAddress& mac) {
    table_[destination] = mac;
    ++version_;
  }

  std::optional<LinkHeader> Find(const wire::IpAddress& destination) override {
    const auto it = table_.find(destination);
    if (it == table_.end()) return std::nullopt;
    LinkHeader header;
    std::memcpy(header.bytes.data(), it->second.data(), it->second.size());
    std::memcpy(header.bytes.data() + 6, own_.data(), own_.size());
    Write16(absl::MakeSpan(header.bytes), 12,
            destination.is_v4() ? kEtherTypeIpv4 : kEtherTypeIpv6);
    header.length = kEthernetSize;
    return header;
  }
  uint64_t version() const override { return version_; }

 private:
  const MacAddress own_;
  std::map<wire::IpAddress, MacAddress> table_;
  uint64_t version_ = 0;
};

}  // namespace netchannel::sim
