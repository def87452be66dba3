// SPDX-License-Identifier: Apache-2.0
//
// Ethernet addresses of both ends of a raw measurement, from the kernel.
// Thread: any, control plane; works in the network namespace of the calling thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "wire/address.h"
#include "wire/ethernet.h"

namespace netchannel::cli {

absl::StatusOr<wire::MacAddress> InterfaceMac(const std::string& interface);

// "aa:bb:cc:dd:ee:ff"
absl::StatusOr<wire::MacAddress> ParseMac(const std::string& text);

// The kernel's neighbour entry for an IPv4 address on the link; makes the kernel ask for it if
// there is none.
absl::StatusOr<wire::MacAddress> NeighbourMac(const std::string& interface,
                                              const wire::IpAddress& address);

}  // namespace netchannel::cli
