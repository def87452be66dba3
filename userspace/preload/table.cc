// SPDX-License-Identifier: Apache-2.0
#include "preload/table.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <utility>

#include "preload/epoll.h"
#include "preload/real.h"
#include "preload/sockets.h"
#include "preload/stand_ins.h"

namespace netchannel::preload {
namespace internal {

constinit std::atomic<Description*> table[kMaxDescriptors];
thread_local constinit ThreadRecord thread_record{};
constinit std::atomic<bool> need_fence{true};

namespace {

constinit ThreadRecord* threads = nullptr;      // guarded by threads_mutex
constinit Description* retired_list = nullptr;  // guarded by threads_mutex
constinit std::mutex threads_mutex;
pthread_key_t thread_key;
using Cleanup = void (*)();
constinit Cleanup thread_end = nullptr;

void EndThread(void*) {
  if (thread_end != nullptr) thread_end();
  ThreadRecord* const own = &thread_record;
  {
    const std::lock_guard lock(threads_mutex);
    for (ThreadRecord** at = &threads; *at != nullptr; at = &(*at)->next) {
      if (*at == own) {
        *at = own->next;
        break;
      }
    }
    own->registered = false;
    own->depth = 0;
    for (auto& held : own->held) held.store(nullptr, std::memory_order_relaxed);
  }
  ReapRetired();
}

// Precondition: threads_mutex.
bool InUse(const Description* description) {
  for (const ThreadRecord* thread = threads; thread != nullptr; thread = thread->next) {
    for (const auto& held : thread->held) {
      if (held.load(std::memory_order_acquire) == description) return true;
    }
  }
  return false;
}

// `description` can be found no more. After this all threads that may use it can be seen.
void Barrier(const Description* description) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const void* const user = description->first_user.load(std::memory_order_relaxed);
  const bool is_own = user == nullptr || user == &thread_record;
  if (is_own && !description->has_others.load(std::memory_order_relaxed)) return;
  if (!need_fence.load(std::memory_order_relaxed) &&
      RawSystemCall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0) == 0) {
    return;
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace

void RegisterThread() {
  ThreadRecord* const own = &thread_record;
  const std::lock_guard lock(threads_mutex);
  own->next = threads;
  threads = own;
  own->registered = true;
  pthread_setspecific(thread_key, own);
}

// Either who takes the description away sees the mark, or this thread, whose next look is at the
// table (or at `retired`), sees that it has gone: both put a fence between what they write and what
// they look at. Where others are marked already: who has not seen that mark has taken the
// description away before it was made, and this thread finds it gone, too.
void NoteUser(Description* description) {
  if (description->has_others.load(std::memory_order_acquire)) return;
  const void* nobody = nullptr;
  if (!description->first_user.compare_exchange_strong(nobody, &thread_record)) {
    description->has_others.store(true, std::memory_order_release);
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

// Calls that a longjmp() left are still named: those deeper in the stack than this one. If there
// are none, the innermost gives way.
void MakeRoom(const void* frame) {
  ThreadRecord& record = thread_record;
  int kept = 0;
  for (int i = 0; i < record.depth; ++i) {
    if (record.frames[i] < frame) continue;
    record.frames[kept] = record.frames[i];
    record.held[kept].store(record.held[i].load(std::memory_order_relaxed),
                            std::memory_order_relaxed);
    ++kept;
  }
  record.depth = std::min(kept, kMaxNesting - 1);
}

void ReapRetired() {
  for (;;) {
    Description* over = nullptr;
    {
      const std::lock_guard lock(threads_mutex);
      for (Description** at = &retired_list; *at != nullptr; at = &(*at)->next) {
        if (InUse(*at)) continue;
        over = *at;
        *at = over->next;
        break;
      }
    }
    if (over == nullptr) return;
    EndDescription(over);
  }
}

}  // namespace internal

namespace {

constinit UncancelledMutex mutex;
constinit Description* pool = nullptr;  // guarded by mutex
constinit std::atomic<int> owner_pid{0};
constinit std::atomic<int> highest{-1};

Description* InternalDescription() {
  static Description* const description = [] {
    auto* made = new Description();
    made->kind.store(Kind::kInternal, std::memory_order_relaxed);
    return made;
  }();
  return description;
}

// Where the library's own descriptors go: the upper part of what the program may have, so that it
// finds the low numbers free, as it would without the library.
int InternalBase() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto most = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, kMaxDescriptors));
  return most - std::min(most / 4, 4096);
}

}  // namespace

void UncancelledMutex::lock() {
  int state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  mutex_.lock();
  cancel_state_ = state;
}

void UncancelledMutex::unlock() {
  const int state = cancel_state_;
  mutex_.unlock();
  pthread_setcancelstate(state, nullptr);
}

UncancelledMutex& Mutex() { return mutex; }

Description* NewDescription(Kind kind) {
  Description* description = pool;
  if (description != nullptr) {
    pool = description->next;
  } else {
    description = new Description();
  }
  description->next = nullptr;
  description->first_user.store(nullptr, std::memory_order_relaxed);
  description->has_others.store(false, std::memory_order_relaxed);
  // Behind the marks, so that who has marked it for its last life sees that this is another; before
  // `retired`, so that who finds it in use knows in which life.
  description->life.fetch_add(1, std::memory_order_acq_rel);
  description->retired.store(false, std::memory_order_release);
  description->kind.store(kind, std::memory_order_release);
  return description;
}

void Retire(Description* description) {
  description->retired.store(true, std::memory_order_seq_cst);
  internal::Barrier(description);
  {
    const std::lock_guard lock(internal::threads_mutex);
    description->next = internal::retired_list;
    internal::retired_list = description;
  }
  internal::ReapRetired();
}

// Nobody uses it, and nobody can find it.
void EndDescription(Description* description) {
  if (nc_socket* socket = description->socket.exchange(nullptr); socket != nullptr) {
    nc_close(socket);
  }
  if (description->given_up != nullptr) nc_close(std::exchange(description->given_up, nullptr));
  if (description->companion >= 0) {
    ForgetInternal(description->companion);
    CloseOwn(description->companion);
  }
  const std::lock_guard lock(mutex);
  ForgetStandIns(description);
  delete description->epoll.exchange(nullptr);
  description->kind.store(Kind::kFree, std::memory_order_release);
  description->error.store(0, std::memory_order_relaxed);
  description->fds.clear();
  description->epolls.clear();
  description->options.clear();
  description->peer_length = 0;
  description->companion = -1;
  description->bound = description->shared = description->kernel_only = false;
  description->retry_at_ns = 0;
  description->next = pool;
  pool = description;
}

int ProcessId() { return owner_pid.load(std::memory_order_relaxed); }

bool Foreign() { return RawSystemCall(SYS_getpid, 0, 0, 0, 0, 0, 0) != ProcessId(); }

bool Track(int fd, Description* description) {
  if (fd < 0 || fd >= kMaxDescriptors) return false;
  description->fds.push_back(fd);
  for (int known = highest.load(); known < fd && !highest.compare_exchange_weak(known, fd);) {
  }
  internal::table[fd].store(description, std::memory_order_release);
  return true;
}

Description* Untrack(int fd) {
  Description* const description = Peek(fd);
  if (description == nullptr || description->kind_now() == Kind::kInternal) return nullptr;
  LeaveEpolls(description, fd);
  internal::table[fd].store(nullptr, std::memory_order_seq_cst);
  auto& fds = description->fds;
  fds.erase(std::remove(fds.begin(), fds.end(), fd), fds.end());
  return fds.empty() ? description : nullptr;
}

Description* UntrackAll(Description* description) {
  Description* last = nullptr;
  while (!description->fds.empty()) last = Untrack(description->fds.back());
  return last;
}

int HighestTracked() { return highest.load(std::memory_order_relaxed); }

int Internalise(int fd) {
  if (fd < 0) return fd;
  int moved = Real().fcntl(fd, F_DUPFD_CLOEXEC, InternalBase());
  if (moved < 0 && errno != EMFILE && errno != EINVAL) {
    const int error = errno;
    CloseOwn(fd);
    errno = error;
    return -1;
  }
  if (moved >= 0) {
    CloseOwn(fd);
  } else {
    moved = fd;  // the upper part is full: the number it has must do
  }
  if (moved < kMaxDescriptors) {
    internal::table[moved].store(InternalDescription(), std::memory_order_release);
    for (int known = highest.load();
         known < moved && !highest.compare_exchange_weak(known, moved);) {
    }
  }
  return moved;
}

void ForgetInternal(int fd) {
  if (IsInternal(fd)) internal::table[fd].store(nullptr, std::memory_order_release);
}

bool IsInternal(int fd) {
  const Description* known = Peek(fd);
  return known != nullptr && known->kind_now() == Kind::kInternal;
}

void LockForFork() {
  mutex.lock();
  internal::threads_mutex.lock();
}

void UnlockAfterFork() {
  internal::threads_mutex.unlock();
  mutex.unlock();
}

void ForgetOtherThreads() {
  owner_pid.store(static_cast<int>(RawSystemCall(SYS_getpid, 0, 0, 0, 0, 0, 0)));
  internal::ThreadRecord& own = internal::thread_record;
  internal::threads = own.registered ? &own : nullptr;
  own.next = nullptr;
}

void AtThreadEnd(void (*cleanup)()) { internal::thread_end = cleanup; }

void StartTable() {
  pthread_key_create(&internal::thread_key, &internal::EndThread);
  owner_pid.store(static_cast<int>(RawSystemCall(SYS_getpid, 0, 0, 0, 0, 0, 0)));
  if (RawSystemCall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0) ==
      0) {
    internal::need_fence.store(false, std::memory_order_relaxed);
  }
}

}  // namespace netchannel::preload
