// SPDX-License-Identifier: Apache-2.0
//
// The kernel's rule for low ports: below net.ipv4.ip_unprivileged_port_start of the daemon's
// network namespace, who binds needs CAP_NET_BIND_SERVICE (ip(7), capabilities(7)), and needs it
// here: in a user namespace of one's own everybody has all capabilities (user_namespaces(7)).
//
// The capability is looked up in /proc when the application binds, and must have been there when it
// connected, so that nobody who later has its number is taken for it. An application that has given
// it up meanwhile is refused, as by the kernel. What cannot be read is a capability that is not
// there. Cost: two reads in /proc for low ports, six more for who has the capability; the rule
// itself is read again when it is a second old.
//
// Who binds is, to this rule, the process that has made the region. Others that share it, as forked
// children do, write to the same memory, and nobody can tell their calls from its calls: they bind
// as it may, not as they may.
//
// Thread: the one that holds the lease.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/units.h"
#include "stack/application.h"

namespace netchannel {

// Whether the process may bind low ports now.
bool HasBindCapability(pid_t process);

class LowPorts final : public PortRule {
 public:
  bool MayBind(const ApplicationInfo& application, uint16_t port) override;

 private:
  static constexpr Duration kFresh = Duration::Seconds(1);
  uint32_t unprivileged_start_ = 0;  // as read last
  Time read_again_;
};

}  // namespace netchannel
