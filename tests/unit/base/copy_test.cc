// SPDX-License-Identifier: Apache-2.0
#include "base/copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace netchannel {
namespace {

std::vector<std::byte> Numbered(size_t size) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + i / 256);
  return bytes;
}

TEST(CopyBytes, CopiesEveryLengthAroundItsPiecesAndNothingBeyond) {
  constexpr std::byte kUntouched{0xee};
  for (const size_t around : {size_t{0}, size_t{128}, kShortCopy, 2 * kShortCopy, 5 * kShortCopy}) {
    for (size_t length = around == 0 ? 0 : around - 2; length <= around + 2; ++length) {
      const std::vector<std::byte> from = Numbered(length);
      std::vector<std::byte> to(length + 1, kUntouched);
      CopyBytes(to.data(), from.data(), length);
      EXPECT_TRUE(std::equal(from.begin(), from.end(), to.begin())) << length;
      EXPECT_EQ(to.back(), kUntouched) << length;
    }
  }
}

}  // namespace
}  // namespace netchannel
