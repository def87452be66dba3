// SPDX-License-Identifier: Apache-2.0
//
// What the kernel says of a network interface, so that `interface = "eth0"` is a whole
// configuration.
//
// Thread: any; it asks the network namespace of the calling thread. Errors: one line with the
// interface and the cure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "wire/address.h"

namespace netchannel {

struct InterfaceFacts {
  std::string name;
  uint32_t index = 0;
  uint32_t mtu = 0;                        // bytes of IP packet
  uint32_t rx_queues = 1;                  // receive queues in use
  std::vector<wire::IpAddress> addresses;  // global ones, IPv4 first, in the kernel's order
};

absl::StatusOr<InterfaceFacts> ReadInterfaceFacts(absl::string_view interface);

}  // namespace netchannel
