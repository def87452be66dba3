// SPDX-License-Identifier: Apache-2.0
#include "wire/chunks.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace netchannel::wire {
namespace {

Bytes AsBytes(const std::string& s) {
  return {reinterpret_cast<const std::byte*>(s.data()), s.size()};
}

class ChunksTest : public ::testing::Test {
 protected:
  const std::string a_ = "abc", empty_, b_ = "defgh", c_ = "i";
  const std::vector<Bytes> chunks_ = {AsBytes(a_), AsBytes(empty_), AsBytes(b_), AsBytes(c_)};

  std::vector<std::string> Parts(size_t begin, size_t end) {
    std::vector<std::string> parts;
    ForEachPart(chunks_, begin, end, [&](Bytes part) {
      parts.emplace_back(reinterpret_cast<const char*>(part.data()), part.size());
    });
    return parts;
  }
};

TEST_F(ChunksTest, PartsCoverTheRangeInOrder) {
  EXPECT_EQ(Parts(0, 9), (std::vector<std::string>{"abc", "defgh", "i"}));
  EXPECT_EQ(Parts(2, 5), (std::vector<std::string>{"c", "de"}));
  EXPECT_EQ(Parts(3, 8), (std::vector<std::string>{"defgh"}));
}

TEST_F(ChunksTest, ARangeBeyondTheEndIsClipped) {
  EXPECT_EQ(Parts(8, 100), (std::vector<std::string>{"i"}));
  EXPECT_TRUE(Parts(9, 100).empty());
}

TEST_F(ChunksTest, AnEmptyRangeHasNoParts) { EXPECT_TRUE(Parts(4, 4).empty()); }

TEST_F(ChunksTest, CopyOutSaysHowMuchThereWas) {
  std::string out(6, '.');
  const MutableBytes buffer(reinterpret_cast<std::byte*>(out.data()), out.size());
  EXPECT_EQ(CopyOut(chunks_, 1, buffer), 6u);
  EXPECT_EQ(out, "bcdefg");
  EXPECT_EQ(CopyOut(chunks_, 7, buffer), 2u);
  EXPECT_EQ(out, "hidefg");
}

}  // namespace
}  // namespace netchannel::wire
