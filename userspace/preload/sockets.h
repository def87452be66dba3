// SPDX-License-Identifier: Apache-2.0
//
// A known socket's changes of kind (description.h): the decisions, and what they do to the
// descriptor. The calls themselves are in socket_calls.cc.
//
// Thread: any, not under Mutex(). Errors: errno values, unless said otherwise.
#pragma once

#include <sys/socket.h>

#include "preload/description.h"
#include "preload/table.h"

namespace netchannel::preload {

// kCandidate: as connect().
int Connect(int fd, Description* socket, const sockaddr* peer, socklen_t length);
// kConnecting: as another connect(), which joins the attempt.
int ConnectAgain(int fd, Description* socket);
// kConnecting: acts on the outcome if it is known; then the kind changes, and an error is kept for
// SO_ERROR. `wait`: waits for it, as long as the send timeout says. EAGAIN: not known yet, EINTR.
int Settle(Description* socket, bool wait);

// Makes a virtual socket listen beside the kernel's, which does already. 0: also when the kernel's
// is to be alone (loopback, no daemon); else errno, with --strict only.
int ListenToo(int fd, Description* socket, int backlog);
// For a listener whose virtual socket is not there since the daemon was not, or is no more.
void KeepListening(int fd, Description* socket);

// kListener: shutdown() has ended the kernel's. It may listen again.
void StopListening(int fd, Description* socket);
// kListener: as LeaveToKernel, for those who know the kernel's socket only and expect it to block.
void ListenOnKernelAlone(int fd, Description* socket);

// kInherited becomes kVirtual. ECONNRESET: its daemon has gone.
int Adopt(int fd, Description* socket);

// An outcome is taken, an anchor adopted: what is to be done before a call looks at the kind.
inline void Refresh(int fd, Description* socket) {
  const Kind kind = socket->kind_now();
  if (kind == Kind::kConnecting) Settle(socket, false);
  if (kind == Kind::kInherited) Adopt(fd, socket);
}

// A virtual socket that has just been accepted gets its descriptor, with the flags of accept4(), in
// the family of its listener. -1 and errno.
int Publish(nc_socket* accepted, int flags, int family);

// An anchor that the program has come to have: looks whether `fd` is one.
void Recognise(int fd);

// Nobody uses it any more (Retire).
void EndDescription(Description* description);

// The kernel's TCP alone from now on, whatever the program does with the socket.
void LeaveToKernel(Description* socket);

bool IsLoopback(const sockaddr* address, socklen_t length);
// As a socket of `family` shows it: IPv4 in an IPv6 socket is mapped.
void ShowAddress(int family, const sockaddr_storage& from, sockaddr* to, socklen_t* length);

}  // namespace netchannel::preload
