// SPDX-License-Identifier: Apache-2.0
//
// Each 64-bit word is split into its 32-bit halves, which are summed in 64-bit lanes: no carry to
// look after for 2^32 words. With AVX2 a 32-byte load costs four operations, about the speed of the
// L1 cache; without, the compiler vectorises the same loop with what the target has.
#include "wire/checksum.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace netchannel::wire {
namespace {

uint64_t LoadWord(const std::byte* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

// Keeps the value modulo 2^16 - 1, since 2^32 is 1 there.
uint64_t FoldTo33Bits(uint64_t sum) { return (sum & 0xffffffff) + (sum >> 32); }

template <bool kCopy>
uint64_t SumWords(std::byte* to, const std::byte* from, size_t words) {
  uint64_t low = 0;
  uint64_t high = 0;
  for (size_t i = 0; i < words; ++i) {
    const uint64_t word = LoadWord(from + 8 * i);
    if constexpr (kCopy) std::memcpy(to + 8 * i, &word, sizeof(word));
    low += word & 0xffffffff;
    high += word >> 32;
  }
  return FoldTo33Bits(low) + FoldTo33Bits(high);
}

// Up to 7 bytes.
template <bool kCopy>
uint64_t SumTail(std::byte* to, const std::byte* from, size_t n) {
  uint64_t word = 0;
  size_t at = 0;
  // By halves: a copy of a length that the compiler does not know is a loop over bytes.
  for (const size_t part : {size_t{4}, size_t{2}, size_t{1}}) {
    if ((n & part) == 0) continue;
    uint64_t piece = 0;
    std::memcpy(&piece, from + at, part);
    if constexpr (kCopy) std::memcpy(to + at, &piece, part);
    word |= piece << 8 * at;
    at += part;
  }
  return FoldTo33Bits(word);
}

template <bool kCopy>
uint64_t SumPortable(std::byte* to, const std::byte* from, size_t n) {
  uint64_t sum = SumWords<kCopy>(to, from, n / 8);
  if (n % 8 != 0) {
    const size_t done = n & ~size_t{7};
    sum += SumTail<kCopy>(kCopy ? to + done : nullptr, from + done, n % 8);
  }
  return sum;
}

#if defined(__x86_64__)

// False before static initialisation has reached it, which only costs speed.
const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;

// `n` is a multiple of 64.
template <bool kCopy>
__attribute__((target("avx2"))) uint64_t SumBlocksAvx2(std::byte* to, const std::byte* from,
                                                       size_t n) {
  const __m256i mask = _mm256_set1_epi64x(0xffffffff);
  __m256i low0 = _mm256_setzero_si256(), high0 = low0, low1 = low0, high1 = low0;
  for (size_t i = 0; i < n; i += 64) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i + 32));
    if constexpr (kCopy) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), a);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i + 32), b);
    }
    low0 = _mm256_add_epi64(low0, _mm256_and_si256(a, mask));
    high0 = _mm256_add_epi64(high0, _mm256_srli_epi64(a, 32));
    low1 = _mm256_add_epi64(low1, _mm256_and_si256(b, mask));
    high1 = _mm256_add_epi64(high1, _mm256_srli_epi64(b, 32));
  }
  const __m256i sum =
      _mm256_add_epi64(_mm256_add_epi64(low0, high0), _mm256_add_epi64(low1, high1));
  alignas(32) uint64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), sum);
  return FoldTo33Bits(lanes[0]) + FoldTo33Bits(lanes[1]) + FoldTo33Bits(lanes[2]) +
         FoldTo33Bits(lanes[3]);
}

// Below this the set-up of the vector loop costs more than it saves.
constexpr size_t kMinVectorBytes = 128;

template <bool kCopy>
uint64_t Sum(std::byte* to, const std::byte* from, size_t n) {
  if (n < kMinVectorBytes || !kHasAvx2) return SumPortable<kCopy>(to, from, n);
  const size_t blocks = n & ~size_t{63};
  return SumBlocksAvx2<kCopy>(to, from, blocks) +
         SumPortable<kCopy>(kCopy ? to + blocks : nullptr, from + blocks, n - blocks);
}

#else

template <bool kCopy>
uint64_t Sum(std::byte* to, const std::byte* from, size_t n) {
  return SumPortable<kCopy>(to, from, n);
}

#endif

}  // namespace

uint64_t PartialSum(const std::byte* data, size_t n) { return Sum<false>(nullptr, data, n); }

uint64_t CopyAndPartialSum(std::byte* to, const std::byte* from, size_t n) {
  return Sum<true>(to, from, n);
}

}  // namespace netchannel::wire
