// SPDX-License-Identifier: Apache-2.0
//
// The kernel's TCP sockets as the channels use them: non-blocking, closed on exec, without Nagle's
// delay, and with a bound on how long a peer may be silent. Nothing here needs a privilege.
//
// Thread: any; functions. Errors: Listen says operation, object and cure; the others give errno.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/stream.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "wire/address.h"

namespace netchannel::tcp {

struct SocketOptions {
  Duration user_timeout;             // data or a keepalive unanswered for this long: ETIMEDOUT
  Duration keepalive_interval;       // of silence, before the peer's kernel is asked
  std::string congestion;            // as the kernel calls it
  bool congestion_required = false;  // else the kernel's own choice will do
};

// Listens at `local` with the options, which its connections inherit.
absl::StatusOr<UniqueFd> Listen(const wire::IpEndpoint& local, const SocketOptions& options);

struct Dialed {
  UniqueFd fd;    // not valid: `error`
  int error = 0;  // an errno
};
// Begins to connect from `local` (any port) to `peer`: writable when it is done, SO_ERROR says how.
Dialed Dial(const wire::IpAddress& local, const wire::IpEndpoint& peer,
            const SocketOptions& options);

struct Accepted {
  UniqueFd fd;  // not valid: `error`
  wire::IpEndpoint peer;
  int error = 0;
};
Accepted Accept(int listener);

// The latency class goes in front where the host's queueing discipline has bands.
void SetClass(int fd, AppClass app_class);
// The outcome of Dial, or what ended the connection; 0: nothing.
int TakeError(int fd);

// What the kernel knows of a connection, for status output.
struct SocketFacts {
  Duration smoothed_rtt, min_rtt;
  ByteCount congestion_window = 0, segment_size = 0;
  std::string congestion;
  uint64_t segments_sent = 0, segments_received = 0, retransmitted = 0;
};
std::optional<SocketFacts> ReadFacts(int fd);

}  // namespace netchannel::tcp
