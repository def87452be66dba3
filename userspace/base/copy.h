// SPDX-License-Identifier: Apache-2.0
//
// memcpy for payload: bytes between buffers whose places are chance (an application's buffer, a
// stream's position in its ring).
//
// From some 2 KiB on, glibc before 2.40 copies with `rep movsb` on AMD Zen 3 and 4 (its bugs 30994
// and 30995). Where the destination is less than 32 bytes behind the source, modulo a page, that
// runs at 2.8 GB/s instead of 40 to 46 (128 KiB in the cache, on such a processor); its vector
// loop, which smaller pieces take, at 15.7, and at 27 to 44 elsewhere. The loop here, which loads
// 128 bytes ahead of its stores, keeps 33 to 46 throughout.
//
// Thread: any. The buffers do not overlap. Errors: none.
#pragma once

#include <cstddef>
#include <cstring>

namespace netchannel {

// Bytes: below, memcpy is as fast, and the compiler may inline it.
inline constexpr size_t kShortCopy = 1024;

// As CopyBytes, for at least kShortCopy bytes.
void CopyLong(std::byte* to, const std::byte* from, size_t length);

inline void CopyBytes(std::byte* to, const std::byte* from, size_t length) {
  if (length < kShortCopy) {
    if (length > 0) std::memcpy(to, from, length);  // an empty span may be null
  } else {
    CopyLong(to, from, length);
  }
}

}  // namespace netchannel
