// SPDX-License-Identifier: Apache-2.0
//
// What the stack runs of a driver, whatever its channels are made of: it sends, its timers, its
// events, its end. How bytes come in is each kind's own: Driver (netdriver/driver.h) is handed
// received frames, TcpDriver (netdriver/tcp/tcp_driver.h) reads its connections. The scheduler and
// the virtual sockets see the SessionPort alone.
//
// Owner: the stack. Thread: the one that holds the host's lease.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/units.h"
#include "netdriver/drop_reason.h"
#include "netdriver/session_port.h"
#include "netdriver/status.h"

namespace netchannel {

class NetDriver : public SessionPort {
 public:
  // Sends what is due, latency class first, in at most `budget` pieces (packets, or visits of a
  // connection). Returns how many. Has more to send when it returns `budget`.
  virtual size_t PollTransmit(Time now, size_t budget) = 0;
  virtual void OnTimer(Time now) = 0;
  virtual Time NextTimeout() const = 0;
  virtual std::optional<DriverEvent> PollEvent() = 0;
  // Tells all peers that we go (CLOSE), as far as one PollTransmit goes.
  virtual void Shutdown(Time now) = 0;

  virtual uint64_t drops(DropReason reason) const = 0;
  // Sessions, connecting ones included.
  virtual size_t session_count() const = 0;
  // For status output: control plane, allocates.
  virtual std::vector<SessionStatus> Status() const = 0;
};

}  // namespace netchannel
