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

}  // namespace netchannel::wire
