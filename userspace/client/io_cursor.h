// SPDX-License-Identifier: Apache-2.0
//
// A walk over the parts of a vectored send or receive, copying between them and a ring.
//
// Thread: one at a time. The parts belong to the caller and outlive the cursor. Errors: none after
// Check.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "base/ring_view.h"

namespace netchannel {

class IoCursor {
 public:
  // Are `parts` what POSIX allows: a count up to IOV_MAX, a sum up to SSIZE_MAX?
  static bool Check(const iovec* parts, int count) {
    if (count < 0 || count > IOV_MAX || (count > 0 && parts == nullptr)) return false;
    size_t sum = 0;
    for (int i = 0; i < count; ++i) {
      if (parts[i].iov_len > SSIZE_MAX - sum) return false;
      sum += parts[i].iov_len;
    }
    return true;
  }

  IoCursor(const iovec* parts, int count) : part_(parts), end_(parts + count) {
    for (const iovec* part = part_; part != end_; ++part) remaining_ += part->iov_len;
  }

  uint64_t remaining() const { return remaining_; }
  // Parts that are not yet used up.
  uint64_t parts() const { return static_cast<uint64_t>(end_ - part_); }

  // The next bytes that lie together, at most `most`; the cursor is behind them then. Precondition:
  // remaining() and most are not 0.
  absl::Span<std::byte> Next(uint64_t most) {
    while (at_ == part_->iov_len) NextPart();
    auto* const bytes = static_cast<std::byte*>(part_->iov_base) + at_;
    const auto size = static_cast<size_t>(std::min<uint64_t>(part_->iov_len - at_, most));
    at_ += size;
    remaining_ -= size;
    if (at_ == part_->iov_len) NextPart();
    return {bytes, size};
  }

  // Copies `length` bytes into the ring at `offset`. Precondition: length <= remaining(), length <=
  // ring.size.
  void CopyTo(const RingView& ring, StreamOffset offset, uint64_t length) {
    Walk(length, [&](std::byte* bytes, size_t size) {
      ring.CopyIn(offset, {bytes, size});
      offset += size;
    });
  }

  // Copies `length` bytes out of the ring at `offset`. Preconditions as above.
  void CopyFrom(const RingView& ring, StreamOffset offset, uint64_t length) {
    Walk(length, [&](std::byte* bytes, size_t size) {
      ring.CopyOut(offset, {bytes, size});
      offset += size;
    });
  }

 private:
  template <typename Copy>
  void Walk(uint64_t length, Copy copy) {
    remaining_ -= length;
    while (length > 0) {
      const size_t size = static_cast<size_t>(std::min<uint64_t>(part_->iov_len - at_, length));
      if (size > 0) copy(static_cast<std::byte*>(part_->iov_base) + at_, size);
      length -= size;
      at_ += size;
      if (at_ == part_->iov_len) NextPart();
    }
  }

  void NextPart() {
    ++part_;
    at_ = 0;
  }

  const iovec* part_;
  const iovec* end_;
  size_t at_ = 0;  // in *part_
  uint64_t remaining_ = 0;
};

}  // namespace netchannel
