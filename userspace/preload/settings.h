// SPDX-License-Identifier: Apache-2.0
//
// What the environment says (`netchannel run` sets it), and the way to the host's daemon.
//
//   NETCHANNEL_DAEMON   the daemon's control socket; unset: the default
//   NETCHANNEL_CLASS    latency | throughput: the class of the program's sockets
//   NETCHANNEL_STRICT   1: a connection that would go over the kernel's TCP fails (ENETUNREACH)
//   NETCHANNEL_SPIN     1: blocking calls spin instead of sleeping
//
// Thread: any.
#pragma once

#include <sys/socket.h>

#include <string>

#include "ipc/fallback.h"
#include "netchannel/netchannel.h"

namespace netchannel::preload {

struct Settings {
  std::string daemon_path;  // empty: the default
  int app_class = -1;       // -1: not said
  bool strict = false;
  bool spin = false;
};

// Read once.
const Settings& GetSettings();
const char* DaemonPath();  // null: the default

// The host's daemon; null when there is none (asked again after a while), or none may be used.
nc_stack* Stack();
// As it is: does not connect.
nc_stack* KnownStack();

// The program does input and output past libc (io_uring): new sockets stay the kernel's.
void StayOnKernel();
bool StaysOnKernel();

// Why the kernel must serve it, for who is refused with --strict.
inline constexpr char kKernelOption[] = "it has an option that only the kernel's TCP serves";
inline constexpr char kIoUring[] = "the program uses io_uring, which reaches only kernel sockets";

// The reason behind an errno value of the stack's, of bind, listen or connect.
ipc::FallbackReason ReasonOf(int error);

// Tells the daemon why a connection to or from `peer` is the kernel's. Listeners may have many a
// second: of those, a few are told.
void Report(ipc::FallbackReason reason, const sockaddr* peer, socklen_t length);
void ReportSome(ipc::FallbackReason reason, const sockaddr* peer, socklen_t length);

// With --strict: says on stderr that `peer` would be served by the kernel. Returns ENETUNREACH.
int RefuseFallback(const sockaddr* peer, socklen_t length, const char* why);

int64_t NowNanos();

}  // namespace netchannel::preload
