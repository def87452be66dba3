// SPDX-License-Identifier: Apache-2.0
//
// Large copies between a program's buffer and a socket's ring, by the process's copy workers
// (netscheduler/copy) and the calling thread together.
//
// What is complete is published as it becomes so, in the order of the stream. A buffer that is not
// there ends the copy where it ends; the bytes before it count.
//
// Thread: the caller, with the lock of the direction. Errors: `fault`.
#pragma once

#include <cstdint>

#include "client/io_cursor.h"
#include "client/socket.h"
#include "netscheduler/copy/copy_pool.h"

namespace netchannel {

struct SplitCopy {
  uint64_t bytes = 0;  // copied and published
  bool fault = false;  // the cursor is somewhere behind them then
};

// How one call copies.
struct Copiers {
  CopyPool* pool = nullptr;  // null: the caller, by itself
  bool help = false;         // the caller copies what no worker has begun, and does not just wait

  // Whether a copy of so much is split.
  bool Split(const nc_socket* socket, uint64_t length) const {
    return pool != nullptr && length >= socket->home->copy.threshold;
  }
};

// Of a transfer of what is left in `cursor`. Without locks: it may start the workers.
Copiers CopiersFor(nc_socket* socket, const IoCursor& cursor, bool nonblocking);

// Preconditions: the direction's lock; room for `length` bytes in the ring, or as many in it.
SplitCopy AppendSplit(nc_socket* socket, const Copiers& copiers, IoCursor* from, uint64_t length);
SplitCopy ConsumeSplit(nc_socket* socket, const Copiers& copiers, IoCursor* to, uint64_t length);

}  // namespace netchannel
