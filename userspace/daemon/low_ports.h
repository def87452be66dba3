// SPDX-License-Identifier: Apache-2.0
//
// The kernel's rule for low ports: below net.ipv4.ip_unprivileged_port_start of the daemon's
// network namespace, who binds needs CAP_NET_BIND_SERVICE (ip(7), capabilities(7)).
//
// The capability is looked up in /proc when the application binds, and must have been there when it
// connected, so that nobody who later has its number is taken for it. An application that has given
// it up meanwhile is refused, as by the kernel. Cost: two reads in /proc for low ports; the
// rule itself is read again when it is a second old.
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
