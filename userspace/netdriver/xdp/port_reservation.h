// SPDX-License-Identifier: Apache-2.0
//
// Holds UDP ports in the kernel while the stack runs: no other program gets them, and a packet that
// falls through to the kernel is not answered with an ICMP unreachable. Nothing is ever read from
// the sockets; their buffers are as small as the kernel allows. Thread: control plane. Errors: the
// port that is taken.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "netdriver/xdp/unique_fd.h"

namespace netchannel::xdp {

// [base, base + count), for IPv4 and, where the kernel has it, IPv6.
absl::StatusOr<std::vector<UniqueFd>> ReservePorts(uint16_t base, uint32_t count);

}  // namespace netchannel::xdp
