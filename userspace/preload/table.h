// SPDX-License-Identifier: Apache-2.0
//
// The table descriptor -> Description, and how a call holds the description it works on.
//
// Reading the table takes no lock: each wrapper looks at it first, and most find nothing. A thread
// names what it uses in a record of its own (a hazard pointer) and looks at the table once more;
// who takes a description away looks at all threads' records after a membarrier(2), which stands
// for the fence that the reader does not pay for. That interrupts the other cores, so a thread does
// pay where it uses a description for the first time that another thread has used first: what has
// been used by the thread that takes it away alone, most connections of most programs, goes
// without.
//
// The table has room for 2^20 descriptors, fs.nr_open's default; a higher one is the kernel's.
//
// vfork(): the child shares this memory and has its own descriptors. What it closes or duplicates
// must not show here: Foreign().
//
// Thread: any. Signal handlers may nest inside a call.
#pragma once

#include <atomic>

#include "preload/description.h"

namespace netchannel::preload {

inline constexpr int kMaxDescriptors = 1 << 20;

namespace internal {

inline constexpr int kMaxNesting = 8;  // a call in a signal handler in a call ...

struct ThreadRecord {
  std::atomic<Description*> held[kMaxNesting];
  const void* frames[kMaxNesting];
  int depth;
  bool registered;
  ThreadRecord* next;
};

extern std::atomic<Description*> table[kMaxDescriptors];
extern thread_local constinit ThreadRecord thread_record __attribute__((tls_model("initial-exec")));
extern std::atomic<bool> need_fence;  // the kernel has no membarrier

void RegisterThread();
// The calling thread is not the one that has used `description` first, if there was one.
void NoteUser(Description* description);
void MakeRoom(const void* frame);
void ReapRetired();

inline void Hold(Description* description, const void* frame) {
  ThreadRecord& record = thread_record;
  if (!record.registered) [[unlikely]]
    RegisterThread();
  if (record.depth == kMaxNesting) [[unlikely]]
    MakeRoom(frame);
  record.frames[record.depth] = frame;
  record.held[record.depth].store(description, std::memory_order_relaxed);
  ++record.depth;
  if (description->first_user.load(std::memory_order_relaxed) != &record) NoteUser(description);
  if (need_fence.load(std::memory_order_relaxed)) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

inline void LetGo(Description* description) {
  ThreadRecord& record = thread_record;
  --record.depth;
  record.held[record.depth].store(nullptr, std::memory_order_release);
  if (need_fence.load(std::memory_order_relaxed)) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  if (description->retired.load(std::memory_order_relaxed)) [[unlikely]]
    ReapRetired();
}

}  // namespace internal

// What is known of `fd`, without holding it: good for "anything at all?" only.
inline Description* Peek(int fd) {
  if (static_cast<unsigned>(fd) >= static_cast<unsigned>(kMaxDescriptors)) return nullptr;
  return internal::table[fd].load(std::memory_order_acquire);
}

// Holds the description of `fd` for a call. False: it is not known, or the library's own.
class Use {
 public:
  explicit Use(int fd) {
    Description* found = Peek(fd);
    while (found != nullptr) [[unlikely]] {
        if (found->kind_now() == Kind::kInternal) return;
        const uint64_t life = found->life.load(std::memory_order_acquire);
        internal::Hold(found, __builtin_frame_address(0));
        Description* const now = Peek(fd);
        if (now == found && found->life.load(std::memory_order_acquire) == life) {
          description_ = found;
          return;
        }
        internal::LetGo(found);
        found = now;
      }
  }
  // Of one that was held before, if it is still the same.
  Use(Description* description, uint64_t life) {
    internal::Hold(description, __builtin_frame_address(0));
    if (!description->retired.load(std::memory_order_acquire) &&
        description->life.load(std::memory_order_acquire) == life) {
      description_ = description;
    } else {
      internal::LetGo(description);
    }
  }
  ~Use() {
    if (description_ != nullptr) internal::LetGo(description_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  explicit operator bool() const { return description_ != nullptr; }
  Description* get() const { return description_; }
  Description* operator->() const { return description_; }

 private:
  Description* description_ = nullptr;
};

// This process shares memory with the one whose descriptors the table describes: a child of
// vfork(), or of a clone() that the library was not told of.
bool Foreign();
int ProcessId();  // whose table it is; no system call

// Enters `fd`, which is `description` from now on. Precondition: Mutex(). False: too high a number.
bool Track(int fd, Description* description);
// Takes `fd` out. Returns the description if that was its last descriptor, which the caller must
// Retire once it has released the mutex; else null. Precondition: Mutex().
Description* Untrack(int fd);
// Takes all descriptors out: the kernel has the socket from now on. As Untrack.
Description* UntrackAll(Description* description);
// No descriptor above it is known.
int HighestTracked();

// A descriptor of the library's own: moved to a high number, closed on exec, and in the program's
// way no more. Returns the new number; -1 and errno, with `fd` closed.
int Internalise(int fd);
void ForgetInternal(int fd);  // before it is closed
bool IsInternal(int fd);

// For fork() (process.cc). In the child, all threads are gone but one.
void LockForFork();
void UnlockAfterFork();
void ForgetOtherThreads();
// When a thread ends, what else it has (poll_set.h).
void AtThreadEnd(void (*cleanup)());
// Once, before anything is tracked.
void StartTable();

}  // namespace netchannel::preload
