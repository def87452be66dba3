// SPDX-License-Identifier: Apache-2.0
//
// Has the pages of a ring in this process's page table before they are used for the first time. A
// page fault costs 5 to 16 us on a virtual machine, in the middle of somebody's message; 4 pages
// together, by madvise(2), cost 8 us, and 2 us where another process has used them already
// (README.md).
//
// One keeps the state of one side (a ring's writer, its reader) in one process, and knows a
// stream's first lap only: offset o lies at ring.base[o]. So it begins anew with the stream.
//
// The first kByTouch bytes come by touching: a short connection pays nothing, and most find pages
// that an earlier one has left (StackSide::FreeSlot).
//
// Owner and thread: those of the side. Errors: none; what the kernel refuses (before Linux 5.14,
// out of memory) comes by touching.
#pragma once

#include <algorithm>

#include "base/ring_view.h"
#include "base/units.h"

namespace netchannel::ipc {

class RingPages {
 public:
  static constexpr ByteCount kByTouch = 16 * 1024;
  // Larger pieces cost less a page, and hold a message up for longer.
  static constexpr ByteCount kAhead = 16 * 1024;
  static constexpr ByteCount kPageBytes = 4096;

  static constexpr StreamOffset kAll = ~StreamOffset{0};

  // `present`: bytes of the ring that have their pages already, or come by touching. kAll: the
  // other side is in the same process, and has them there.
  explicit RingPages(StreamOffset present = kByTouch) : present_(present) {}

  // The stream is about to be used up to `end`. Keeps errno.
  void Reach(const RingView& ring, StreamOffset end) {
    if (end > present_) [[unlikely]]
      Extend(ring, end);
  }
  // The same where `end` is another one's word, who may have touched nothing: some of it at a time.
  void Approach(const RingView& ring, StreamOffset end) {
    if (end > present_) [[unlikely]]
      Extend(ring, std::min(end, present_ + kMostAtOnce));
  }

 private:
  static constexpr ByteCount kMostAtOnce = 32 * 1024;

  void Extend(const RingView& ring, StreamOffset end);

  StreamOffset present_;
};

}  // namespace netchannel::ipc
