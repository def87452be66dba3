// SPDX-License-Identifier: Apache-2.0
//
// Why there is no NetChannel at the other end, as far as this host knows: who connects gets
// EPROTONOSUPPORT, and may go another way (kernel TCP). Thread: values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"
#include "wire/address.h"
#include "wire/packet_layout.h"

namespace netchannel {

enum class Absence : uint8_t {
  kOwnAddress,       // ourselves: loopback, an own address, the unspecified one
  kNoFamily,         // the stack has no address of its family
  kOutsideNetworks,  // not one of the configured networks
  kNotRouted,        // the kernel's route does not leave through the stack's interface
  kUnreachable,      // an ICMP error came back
  kSilent,           // no answer within the probe time
  kRejected,         // it speaks NetChannel, but not with us: other versions, or denied
  kDenied,           // by the map `peers`, here
};

// An ICMP or ICMPv6 "destination unreachable" about a packet of ours, as the kernel hands it over.
struct Unreachable {
  wire::IpEndpoint destination;  // of our packet
  bool port = false;             // its host is there, and nobody has the port
  size_t quoted = 0;             // bytes of `header` that the error quotes; some quote none
  std::byte header[wire::kHeaderSize] = {};
};

}  // namespace netchannel
