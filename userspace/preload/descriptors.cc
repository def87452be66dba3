// SPDX-License-Identifier: Apache-2.0
//
// close and dup, in all their forms.
#include "preload/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>

#include <algorithm>

#include "preload/call_result.h"
#include "preload/own_calls.h"
#include "preload/real.h"
#include "preload/sockets.h"
#include "preload/table.h"

namespace netchannel::preload {
namespace {

// The number is the kernel's again; the socket ends with its last one.
void Forget(int fd) {
  Description* last;
  {
    const std::lock_guard lock(Mutex());
    last = Untrack(fd);
  }
  if (last != nullptr) Retire(last);
}

// What dup2 and dup3 close without a word.
bool MayReplace(int fd) {
  if (Peek(fd) == nullptr || Foreign()) return true;
  if (IsInternal(fd)) return false;
  Forget(fd);
  return true;
}

// All of first..last but the library's own; in as few calls as can be. A child of vfork() closes
// its copies alone, and keeps what is to go along over exec().
int CloseRange(unsigned first, unsigned last) {
  const auto highest = static_cast<unsigned>(std::max(HighestTracked(), -1) + 1);
  const bool foreign = Foreign();
  unsigned from = first;
  for (unsigned fd = first; fd < highest && fd <= last; ++fd) {
    if (Peek(static_cast<int>(fd)) == nullptr) continue;
    if (!IsInternal(static_cast<int>(fd))) {
      if (!foreign) Forget(static_cast<int>(fd));
      continue;
    }
    if (fd > from && Real().close_range(from, fd - 1, 0) != 0) return -1;
    from = fd + 1;
  }
  return from <= last ? Real().close_range(from, last, 0) : 0;
}

}  // namespace

int Close(int fd) {
  if (Peek(fd) == nullptr) return Real().close(fd);
  // The program cannot know this number: it closes all there might be.
  if (IsInternal(fd)) return Failed(EBADF);
  if (!Foreign()) Forget(fd);
  return Real().close(fd);
}

int Copied(const Use& use, int made) {
  if (made < 0 || !use) return made;
  if (Foreign()) {
    // Nothing shows here that the next image of a child of vfork() has a copy of a listener.
    if (use->kind_now() == Kind::kListener && use->companion >= 0) {
      Real().fcntl(use->companion, F_SETFD, 0);
    }
    return made;
  }
  const std::lock_guard lock(Mutex());
  if (!use->fds.empty()) Track(made, use.get());
  return made;
}

}  // namespace netchannel::preload

using netchannel::preload::Copied;
using netchannel::preload::Failed;
using netchannel::preload::Real;
using netchannel::preload::Use;

extern "C" {

int close(int fd) { return netchannel::preload::Close(fd); }

int close_range(unsigned first, unsigned last, int flags) noexcept {
  if (flags != 0 || first > last || netchannel::preload::HighestTracked() < 0) {
    // With CLOSE_RANGE_CLOEXEC nothing is closed yet; with CLOSE_RANGE_UNSHARE the table of
    // descriptors is another one, and this process is about to exec.
    return Real().close_range(first, last, flags);
  }
  return netchannel::preload::CloseRange(first, last);
}

void closefrom(int lowest) noexcept {
  close_range(static_cast<unsigned>(std::max(lowest, 0)), ~0u, 0);
}

int dup(int fd) noexcept {
  const Use use(fd);
  return Copied(use, Real().dup(fd));
}

int dup2(int fd, int to) noexcept {
  if (fd == to) return Real().dup2(fd, to);
  const Use use(fd);
  // The source is looked at first: a bad one closes nothing.
  if (!use && Real().fcntl(fd, F_GETFD) < 0) return -1;
  if (!netchannel::preload::MayReplace(to)) return Failed(EBUSY);
  return Copied(use, Real().dup2(fd, to));
}

int dup3(int fd, int to, int flags) noexcept {
  if (fd == to) return Real().dup3(fd, to, flags);
  const Use use(fd);
  if (!use && Real().fcntl(fd, F_GETFD) < 0) return -1;
  if (!netchannel::preload::MayReplace(to)) return Failed(EBUSY);
  return Copied(use, Real().dup3(fd, to, flags));
}

}  // extern "C"

NETCHANNEL_OWN_CALL(close);
NETCHANNEL_OWN_CALL(close_range);
NETCHANNEL_OWN_CALL(dup);
NETCHANNEL_OWN_CALL(dup2);
NETCHANNEL_OWN_CALL(dup3);
