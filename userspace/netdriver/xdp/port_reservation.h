// SPDX-License-Identifier: Apache-2.0
//
// Holds UDP ports in the kernel while the stack runs: no other program gets them, and a packet that
// falls through to the kernel is not answered with an ICMP unreachable. No datagram is ever queued
// on the sockets (a filter drops each). What they do take in are the ICMP errors about packets that
// the stack has sent from these ports, AF_XDP or not: the kernel matches them by the ports.
//
// Thread: control plane; PollUnreachable by one at a time. Errors: the port that is taken.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "netdriver/absence.h"

namespace netchannel::xdp {

class PortReservation {
 public:
  PortReservation() = default;
  // [base, base + count), for IPv4 and, where the kernel has it, IPv6.
  static absl::StatusOr<PortReservation> Reserve(uint16_t base, uint32_t count);

  // Handshakes are sent from the base port: its sockets (one a family) poll for errors (POLLERR)
  // when PollUnreachable has something to do.
  absl::Span<const int> error_fds() const { return error_fds_; }
  // An ICMP error that says that a packet of ours has not reached anybody; nullopt when there is no
  // more. Never blocks; others (too large, for one) are taken in and passed over.
  std::optional<Unreachable> PollUnreachable();

 private:
  std::vector<UniqueFd> sockets_;
  std::vector<int> error_fds_;
};

}  // namespace netchannel::xdp
