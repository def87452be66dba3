// SPDX-License-Identifier: Apache-2.0
//
// The bytes of one direction of a stream, kept in a power-of-two ring: stream offset o lives at
// base[o & (size - 1)]. A view owns nothing; the memory is an IPC region's (ipc/region.h) or a
// test's.
//
// Invariant: at most `size` consecutive offsets are live at once; who may write which part is said
// by the owner of the ring (the writer's free part, the reader's filled part), not here. Thread: a
// view may be copied freely; the bytes follow their owner's rule.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "base/copy.h"
#include "base/units.h"

namespace netchannel {

struct RingView {
  std::byte* base = nullptr;
  uint64_t size = 0;  // bytes, a power of two; 0 is "no memory"

  bool valid() const { return base != nullptr && size != 0; }

  // The longest contiguous run that starts at `offset`, at most `length` bytes. A range of at most
  // `size` bytes is covered by two calls.
  absl::Span<std::byte> Contiguous(StreamOffset offset, uint64_t length) const {
    const uint64_t at = offset & (size - 1);
    const uint64_t run = size - at;
    return {base + at, static_cast<size_t>(length < run ? length : run)};
  }

  // Copies `in` to the ring at `offset`. Precondition: in.size() <= size.
  void CopyIn(StreamOffset offset, absl::Span<const std::byte> in) const {
    const auto first = Contiguous(offset, in.size());
    CopyBytes(first.data(), in.data(), first.size());
    if (first.size() < in.size()) {
      CopyBytes(base, in.data() + first.size(), in.size() - first.size());
    }
  }

  // Copies out.size() bytes at `offset` to `out`. Precondition: out.size() <= size.
  void CopyOut(StreamOffset offset, absl::Span<std::byte> out) const {
    const auto first = Contiguous(offset, out.size());
    CopyBytes(out.data(), first.data(), first.size());
    if (first.size() < out.size()) {
      CopyBytes(out.data() + first.size(), base, out.size() - first.size());
    }
  }
};

}  // namespace netchannel
