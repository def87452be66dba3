// SPDX-License-Identifier: Apache-2.0
#include "ipc/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace netchannel::ipc {
namespace internal {
thread_local constinit OwnerWord this_thread = 0;
}  // namespace internal

namespace {

// | started: 32 | namespace: 10 | number: 22 |  The kernel's largest number is 2^22 - 1
// (PID_MAX_LIMIT).
constexpr int kNumberBits = 22, kNamespaceBits = 10;
constexpr OwnerWord kNumberMask = (OwnerWord{1} << kNumberBits) - 1;
constexpr OwnerWord kNamespaceMask = ((OwnerWord{1} << kNamespaceBits) - 1) << kNumberBits;
static_assert(kNumberBits + kNamespaceBits == 32);

std::atomic<OwnerWord> this_process{0};

struct ThreadStat {
  char state = '?';
  long threads = 0;  // of its process
  uint32_t started = 0;
};

// False: there is no such thread, or no /proc.
bool ReadStat(pid_t number, ThreadStat* stat) {
  char path[32], text[512];
  std::snprintf(path, sizeof(path), "/proc/%d/stat", number);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t length = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (length <= 0) return false;
  text[length] = '\0';
  // The name, in parentheses, may contain anything; proc(5) numbers the fields from 1, and the
  // state after it is the third.
  const char* at = std::strrchr(text, ')');
  if (at == nullptr) return false;
  unsigned long long started = 0;
  if (std::sscanf(
          at + 1,
          " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu",
          &stat->state, &stat->threads, &started) != 3) {
    return false;
  }
  stat->started = static_cast<uint32_t>(started);
  return true;
}

OwnerWord NamespaceBits() {
  struct stat info;
  if (stat("/proc/self/ns/pid", &info) != 0) return 0;
  return (static_cast<OwnerWord>(info.st_ino) << kNumberBits) & kNamespaceMask;
}

OwnerWord Name(pid_t number) {
  ThreadStat stat;
  ReadStat(number, &stat);
  return (OwnerWord{stat.started} << 32) | NamespaceBits() |
         (static_cast<OwnerWord>(number) & kNumberMask);
}

}  // namespace

OwnerWord internal::NameThisThread() {
  const int saved = errno;
  this_thread = Name(static_cast<pid_t>(syscall(SYS_gettid)));
  errno = saved;
  return this_thread;
}

OwnerWord ThisProcess() {
  OwnerWord known = this_process.load(std::memory_order_relaxed);
  if (known == 0) {
    known = Name(getpid());
    this_process.store(known, std::memory_order_relaxed);
  }
  return known;
}

bool IsAlive(OwnerWord owner) {
  const int saved = errno;
  const auto number = static_cast<pid_t>(owner & kNumberMask);
  bool alive = true;
  ThreadStat stat;
  if ((owner & kNamespaceMask) == NamespaceBits()) {
    if (ReadStat(number, &stat)) {
      // A process that nobody has waited for yet is dead; one whose first thread has ended is not.
      const bool ended = (stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1;
      alive = !ended && stat.started == static_cast<uint32_t>(owner >> 32);
    } else {
      alive = kill(number, 0) == 0 || errno != ESRCH;
    }
  }
  errno = saved;
  return alive;
}

void ForgetOwners() {
  internal::this_thread = 0;
  this_process.store(0, std::memory_order_relaxed);
}

}  // namespace netchannel::ipc
