// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/copy/copy_piece.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include <initializer_list>

#include "base/copy.h"

namespace netchannel {
namespace {

// As process_vm_readv: the program's side is the one whose faults it reports.
ssize_t CheckedStep(const CopyPiece& piece, size_t done) {
  const iovec ring = {piece.ring + done, piece.length - done};
  const iovec user = {piece.user + done, piece.length - done};
  return piece.direction == CopyDirection::kToRing
             ? process_vm_readv(getpid(), &ring, 1, &user, 1, 0)
             : process_vm_writev(getpid(), &ring, 1, &user, 1, 0);
}

}  // namespace

size_t CopyOf(const CopyPiece& piece, bool checked) {
  if (!checked) {
    const bool to_ring = piece.direction == CopyDirection::kToRing;
    CopyBytes(to_ring ? piece.ring : piece.user, to_ring ? piece.user : piece.ring, piece.length);
    return piece.length;
  }
  const int saved = errno;
  size_t done = 0;
  while (done < piece.length) {
    // A short count is a fault behind it; the next call says so.
    const ssize_t step = CheckedStep(piece, done);
    if (step <= 0) break;
    done += static_cast<size_t>(step);
  }
  errno = saved;
  return done;
}

bool CanCheckCopies() {
  std::byte from{1}, to{0};
  for (const auto direction : {CopyDirection::kToRing, CopyDirection::kFromRing}) {
    if (CopyOf({&from, &to, 1, direction}, /*checked=*/true) != 1) return false;
  }
  return true;
}

}  // namespace netchannel
