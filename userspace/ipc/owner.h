// SPDX-License-Identifier: Apache-2.0
//
// Names for threads and processes in shared memory, so that others can tell whether the holder of
// something is still alive.
//
// A word has the thread's number, when it started (in the kernel's ticks) and a few bits of its PID
// namespace. A process is named by its first thread. Numbers of another namespace mean nothing
// here: their holders count as alive.
//
// Thread: any. Cost: a load of a thread-local word, and once a thread a look at /proc (about 20
// µs); IsAlive is a look at /proc. Without /proc a word is the number alone.
#pragma once

#include "ipc/abi.h"

namespace netchannel::ipc {

namespace internal {
// initial-exec: the preload library is there from the start, and asks this in each send.
extern thread_local constinit OwnerWord this_thread __attribute__((tls_model("initial-exec")));
OwnerWord NameThisThread();
}  // namespace internal

inline OwnerWord ThisThread() {
  const OwnerWord known = internal::this_thread;
  return known != 0 ? known : internal::NameThisThread();
}

OwnerWord ThisProcess();

bool IsAlive(OwnerWord owner);

// In the child after fork(): the names of the parent are not its own.
void ForgetOwners();

}  // namespace netchannel::ipc
