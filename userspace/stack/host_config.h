// SPDX-License-Identifier: Apache-2.0
//
// From the user's configuration and what the interface is, to the configurations of the parts.
// Thread: none, values. Errors: one line, with the key or interface.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "netdriver/xdp/xdp_device.h"
#include "stack/config.h"
#include "stack/host.h"
#include "wire/address.h"

namespace netchannel {

// The stack's own addresses: the configured ones, or the interface's first global ones, IPv4 first.
absl::StatusOr<std::vector<wire::IpAddress>> ChooseAddresses(
    const Config& config, const std::vector<wire::IpAddress>& of_interface);

// One lane of each class on each served queue: any queue can take either class, and each has a
// home. An interface with more queues than can be served (NC_MAX_QUEUES) is refused unless
// driver.queues chooses among them. What packets lie in is 10 MiB a queue with the default rings,
// at any MTU, so 640 MiB at most.
absl::StatusOr<XdpDeviceConfig> MakeDeviceConfig(const Config& config,
                                                 const std::vector<wire::IpAddress>& addresses,
                                                 const xdp::InterfaceInfo& interface);

// The host serves the families of `addresses`. `mtu`: of the interface, bytes of IP packet.
HostConfig MakeHostConfig(const Config& config, const std::vector<wire::IpAddress>& addresses,
                          uint32_t mtu);

}  // namespace netchannel
