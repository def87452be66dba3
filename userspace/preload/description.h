// SPDX-License-Identifier: Apache-2.0
//
// What the library knows of an open file description, as POSIX calls what dup() shares: here, of a
// TCP socket that may become or is a virtual one, or of an epoll instance that has such in it. All
// other descriptors are unknown to the library, and their calls go to libc untouched.
//
// A socket's life:
//
//   socket() -> kCandidate ---- connect() ----> kVirtual      a NetChannel peer
//                   |    \---- connect(), non-blocking -> kConnecting -> kVirtual, or the kernel's
//                   |     \--- connect() ----> the kernel's   no NetChannel peer: unknown again
//                   \--------- listen() -----> kListener      both at once
//
// kCandidate, kConnecting and kListener are kernel TCP sockets under the program's number; kVirtual
// has the virtual socket's anchor (client/anchor.h) under that number, or what stands in for it
// (stand_ins.h). A listener's virtual socket has its anchor beside it, under a number of the
// library's (`companion`). kInherited is an anchor
// found at the start of the process or received over a Unix socket: kVirtual at its first use.
// Kernel sockets that are found at the start begin as kCandidate or kListener.
//
// Lifetime. A description's memory is never returned to the heap, only used again, with another
// `life`. Who uses one holds it through Use (table.h); it ends when its last descriptor in this
// process is closed and nobody uses it any more.
//
// Thread: what is atomic, any; the rest under Mutex().
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "netchannel/netchannel.h"

namespace netchannel::preload {

class Epoll;

enum class Kind : uint32_t {
  kFree,
  kInternal,  // a descriptor of the library's own, which the program must not close
  kCandidate,
  kConnecting,
  kListener,
  kVirtual,
  kInherited,
  kEpoll,
};

// A socket option as the program has set it.
struct SavedOption {
  static constexpr size_t kMaxBytes = 32;
  int level, name;
  socklen_t length;
  unsigned char value[kMaxBytes];
};

struct Description {
  std::atomic<Kind> kind{Kind::kFree};
  std::atomic<uint64_t> life{0};
  std::atomic<bool> retired{false};
  std::atomic<nc_socket*> socket{nullptr};
  std::atomic<Epoll*> epoll{nullptr};
  std::atomic<int> error{0};  // for SO_ERROR, besides what the socket itself has
  std::atomic<int> family{0};
  // The thread that has used it first in this life (its record in table.h), and whether others
  // have, too. What its closer alone has used needs no membarrier(2) to be closed.
  std::atomic<const void*> first_user{nullptr};
  std::atomic<bool> has_others{false};

  // Guarded by Mutex().
  absl::InlinedVector<int, 2> fds;
  absl::InlinedVector<Epoll*, 1> epolls;  // that have one of `fds` registered
  std::vector<SavedOption> options;
  sockaddr_storage peer{};  // kConnecting: for the kernel's connect, if it comes to that
  socklen_t peer_length = 0;
  int awaiting = 0;               // threads that wait for the outcome of `socket`, kConnecting
  nc_socket* given_up = nullptr;  // the attempt's, which the last of them closes
  int companion = -1;
  int backlog = 0;
  bool bound = false;
  bool shared = false;          // programs without this library may have it too
  bool kernel_only = false;     // has an option that only the kernel's TCP serves
  int64_t retry_at_ns = 0;      // kListener without a virtual socket: when to try again
  Description* next = nullptr;  // in the pool, or in the list of the retired

  Kind kind_now() const { return kind.load(std::memory_order_acquire); }
};

// A mutex whose holder cannot be cancelled: the calls that it makes meanwhile are cancellation
// points in libc.
class UncancelledMutex {
 public:
  void lock();
  void unlock();

 private:
  std::mutex mutex_;
  int cancel_state_ = 0;  // the holder's own
};

// The library's one lock. Held for bookkeeping and short, non-blocking calls; never by the calls
// that move bytes or wait.
UncancelledMutex& Mutex();

// A fresh one, with no descriptors yet. Precondition: Mutex().
Description* NewDescription(Kind kind);

// Nobody finds it in the table any more: it ends now or when its last user is done. Not under
// Mutex(): closing may linger.
void Retire(Description* description);

}  // namespace netchannel::preload
