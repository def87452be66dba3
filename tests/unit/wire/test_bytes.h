// SPDX-License-Identifier: Apache-2.0
//
// Bytes for tests, written as hexadecimal: Hex("45 00 | 00 1c") ignores spaces and bars.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace netchannel::wire {

inline std::vector<std::byte> Hex(std::string_view text) {
  std::vector<std::byte> bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ' || c == '|' || c == '\n') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::byte>(high << 4 | digit));
      high = -1;
    }
  }
  return bytes;
}

}  // namespace netchannel::wire
