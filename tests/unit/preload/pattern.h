// SPDX-License-Identifier: Apache-2.0
//
// Bytes that say where in a stream they belong, and a sum over what has come.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

inline std::string Pattern(size_t at, size_t length) {
  std::string bytes(length, '\0');
  for (size_t i = 0; i < length; ++i) {
    const size_t place = at + i;
    bytes[i] = static_cast<char>(place * 7 + (place >> 8) * 13 + (place >> 16));
  }
  return bytes;
}

inline uint32_t Sum(uint32_t before, std::string_view bytes) {
  for (const char one : bytes) before = before * 31 + static_cast<unsigned char>(one);
  return before;
}
