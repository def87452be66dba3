// SPDX-License-Identifier: Apache-2.0
//
// What the kernel says about a network interface, asked by ioctl: sysfs shows the namespace it was
// mounted in, an ioctl the one of the calling thread. Thread: any; control plane. Errors:
// absl::Status with the object and the cure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "wire/address.h"

namespace netchannel::xdp {

struct InterfaceInfo {
  std::string name;
  uint32_t ifindex = 0;
  uint32_t mtu = 0;  // bytes of the largest IP packet; up to 65535
  uint32_t rx_queues = 1;
  uint32_t tx_queues = 1;
  std::string driver;
  bool up = false;
};

absl::StatusOr<InterfaceInfo> QueryInterface(const std::string& ifname);

// All IPv4 and IPv6 addresses of the interface, link-local ones included.
absl::StatusOr<std::vector<wire::IpAddress>> InterfaceAddresses(const std::string& ifname);

}  // namespace netchannel::xdp
