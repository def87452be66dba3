// SPDX-License-Identifier: Apache-2.0
#include "base/copy.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace netchannel {
namespace {

// Bytes, below the length from which glibc takes `rep movsb`: 2112 where the processor says that
// short ones are fast, and more elsewhere.
constexpr size_t kPiece = 2048;

void CopyPieces(std::byte* to, const std::byte* from, size_t length) {
  while (length > 0) {
    const size_t piece = std::min(length, kPiece);
    std::memcpy(to, from, piece);
    to += piece;
    from += piece;
    length -= piece;
  }
}

#if defined(__x86_64__)

// False before static initialisation has reached it, which only costs speed.
const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;

constexpr size_t kBlock = 128;

// Copies whole blocks; returns how many bytes.
__attribute__((target("avx2"))) size_t CopyBlocks(std::byte* to, const std::byte* from,
                                                  size_t length) {
  size_t done = 0;
  for (; done + kBlock <= length; done += kBlock) {
    const auto* const in = reinterpret_cast<const __m256i*>(from + done);
    auto* const out = reinterpret_cast<__m256i*>(to + done);
    const __m256i a = _mm256_loadu_si256(in), b = _mm256_loadu_si256(in + 1);
    const __m256i c = _mm256_loadu_si256(in + 2), d = _mm256_loadu_si256(in + 3);
    _mm256_storeu_si256(out, a);
    _mm256_storeu_si256(out + 1, b);
    _mm256_storeu_si256(out + 2, c);
    _mm256_storeu_si256(out + 3, d);
  }
  return done;
}

#endif

}  // namespace

void CopyLong(std::byte* to, const std::byte* from, size_t length) {
#if defined(__x86_64__)
  if (kHasAvx2) {
    const size_t done = CopyBlocks(to, from, length);
    std::memcpy(to + done, from + done, length - done);
    return;
  }
#endif
  CopyPieces(to, from, length);
}

}  // namespace netchannel
