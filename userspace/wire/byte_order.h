// SPDX-License-Identifier: Apache-2.0
//
// Big-endian integers at any address: one load or store and a byte swap each, no alignment needed.
// Precondition of all: the bytes exist; the callers have checked lengths.
// Thread: pure functions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace netchannel::wire {

static_assert(std::endian::native == std::endian::little, "the byte swaps below assume it");

inline uint8_t Load8(const std::byte* p) { return std::to_integer<uint8_t>(*p); }
inline uint16_t LoadBe16(const std::byte* p) {
  uint16_t v;
  std::memcpy(&v, p, sizeof(v));
  return __builtin_bswap16(v);
}
inline uint32_t LoadBe32(const std::byte* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof(v));
  return __builtin_bswap32(v);
}
inline uint64_t LoadBe64(const std::byte* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof(v));
  return __builtin_bswap64(v);
}

inline void Store8(std::byte* p, uint8_t v) { *p = std::byte{v}; }
inline void StoreBe16(std::byte* p, uint16_t v) {
  v = __builtin_bswap16(v);
  std::memcpy(p, &v, sizeof(v));
}
inline void StoreBe32(std::byte* p, uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, sizeof(v));
}
inline void StoreBe64(std::byte* p, uint64_t v) {
  v = __builtin_bswap64(v);
  std::memcpy(p, &v, sizeof(v));
}

// Four bytes and two 64-bit integers, 20 bytes at `p`, in stores of the width of the checksum's
// loads: what is summed right after it was written then comes out of the store buffer instead of
// waiting for the cache (a load that spans two stores does; it cost some 15 ns a header).
inline void StoreHeader(std::byte* p, uint8_t byte0, uint8_t byte1, uint16_t half, uint64_t first,
                        uint64_t second) {
  const uint64_t a = __builtin_bswap64(first);
  const uint64_t b = __builtin_bswap64(second);
  const uint64_t head = byte0 | uint64_t{byte1} << 8 | uint64_t{__builtin_bswap16(half)} << 16;
  const uint64_t words[] = {head | a << 32, a >> 32 | b << 32};
  const auto last = static_cast<uint32_t>(b >> 32);
  std::memcpy(p, &words[0], sizeof(words[0]));
  std::memcpy(p + 8, &words[1], sizeof(words[1]));
  std::memcpy(p + 16, &last, sizeof(last));
}

}  // namespace netchannel::wire
