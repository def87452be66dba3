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
#include "base/unique_fd.h"
#include "netdriver/absence.h"

namespace netchannel::xdp {

class PortReservation {
 public:
  PortReservation() = default;
  // [base, base + count), for IPv4 and, where the kernel has it, IPv6.
  static absl::StatusOr<PortReservation> Reserve(uint16_t base, uint32_t count);

  // Polls readable when PollUnreachable has something to do.
  int error_fd() const { return errors_.get(); }
  // An ICMP error that says that a packet of ours has not reached anybody; nullopt when there is no
  // more. Never blocks; others (too large, for one) are taken in and passed over.
  std::optional<Unreachable> PollUnreachable();

 private:
  std::vector<UniqueFd> sockets_;
  UniqueFd errors_;  // an epoll set of them
};

}  // namespace netchannel::xdp
