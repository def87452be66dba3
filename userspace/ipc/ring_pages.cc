// SPDX-License-Identifier: Apache-2.0
#include "ipc/ring_pages.h"

#include <errno.h>
#include <sys/mman.h>

#include <algorithm>

namespace netchannel::ipc {

void RingPages::Extend(const RingView& ring, StreamOffset end) {
  // `end` may be anything: it is an application's word.
  const StreamOffset wanted = std::min<StreamOffset>(std::max(end, present_ + kAhead), ring.size);
  const StreamOffset from = present_ & ~(kPageBytes - 1);
  const StreamOffset to = (wanted + kPageBytes - 1) & ~(kPageBytes - 1);
  if (from < to) {
    const int saved = errno;
    madvise(ring.base + from, to - from, MADV_POPULATE_WRITE);
    errno = saved;
  }
  present_ = to >= ring.size ? kAll : to;
}

}  // namespace netchannel::ipc
