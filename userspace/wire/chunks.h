// SPDX-License-Identifier: Apache-2.0
//
// A received packet as the list of buffers it arrived in. Positions count bytes from the start of
// the first chunk, whatever the borders between chunks. Thread: pure functions. Errors: positions
// are clipped to what is there; results say how much it was.
#pragma once

#include <algorithm>
#include <cstddef>

#include "absl/types/span.h"
#include "base/copy.h"

namespace netchannel::wire {

using Bytes = absl::Span<const std::byte>;
using MutableBytes = absl::Span<std::byte>;
using ChunkList = absl::Span<const Bytes>;

// Calls fn(Bytes) for the parts of [begin, end) in order.
template <typename Fn>
void ForEachPart(ChunkList chunks, size_t begin, size_t end, Fn&& fn) {
  size_t chunk_begin = 0;
  for (const Bytes chunk : chunks) {
    if (chunk_begin >= end) return;
    const size_t chunk_end = chunk_begin + chunk.size();
    const size_t from = std::max(begin, chunk_begin);
    const size_t to = std::min(end, chunk_end);
    if (from < to) fn(chunk.subspan(from - chunk_begin, to - from));
    chunk_begin = chunk_end;
  }
}

// Copies the bytes from `begin` on to `out`, until either ends; returns how many.
inline size_t CopyOut(ChunkList chunks, size_t begin, MutableBytes out) {
  size_t copied = 0;
  ForEachPart(chunks, begin, begin + out.size(), [&](Bytes part) {
    CopyBytes(out.data() + copied, part.data(), part.size());
    copied += part.size();
  });
  return copied;
}

}  // namespace netchannel::wire
