// SPDX-License-Identifier: Apache-2.0
//
// Stand-ins: what a virtual socket has under its numbers while this process alone has it.
//
// An anchor (client/anchor.h) is how others come to have a share in a virtual socket: a child
// process, the next image, who is sent the descriptor. It costs the process and the daemon about
// ten system calls a connection, and most connections are never shared. So a socket that has been
// connected keeps the kernel's TCP socket with which it began, unconnected, and one that has been
// accepted gets an unconnected Unix socket; each becomes the anchor before anyone else can come to
// have it: before fork(), vfork(), clone(), posix_spawn(), system(), popen(), exec(), and sendmsg()
// with SCM_RIGHTS. A process that does so by instructions of its own (Go, a raw clone()) shares a
// stand-in: what it closes, the other has lost.
//
// Only sockets of a region that this process has founded: the daemon ends those when the process
// ends. In a forked child, connections of its parent's listeners have their anchors at once.
//
// Thread: any. Errors: errno values.
#pragma once

#include "preload/description.h"

namespace netchannel::preload {

// `made`, which it closes, takes the place of what is under the numbers. Precondition: Mutex().
void PutUnderNumbers(int made, const Description* socket);

// Whether `socket` may have stand-ins.
bool MayStandIn(const nc_socket* socket);
// The numbers of `socket`, which is a virtual one now, stand in. Precondition: Mutex().
void StandIn(Description* socket);
// It is over. Precondition: Mutex().
void ForgetStandIns(Description* socket);
// The numbers of `socket` become the anchor, if they are not yet. 0, or errno, and they stand in as
// before. Precondition: Mutex().
int Anchor(Description* socket);
// All of this process. One that cannot get an anchor (no more descriptors) stays this process's
// alone. Not in a child of vfork(), which has its parent's memory.
void AnchorAll();
// The same. Precondition: Mutex().
void AnchorAllLocked();

}  // namespace netchannel::preload
