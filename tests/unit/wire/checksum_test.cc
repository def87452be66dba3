// SPDX-License-Identifier: Apache-2.0
#include "wire/checksum.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"

namespace netchannel::wire {
namespace {

// RFC 1071 section 4.1, word by word.
uint16_t Naive(Bytes bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    const uint32_t high = std::to_integer<uint32_t>(bytes[i]) << 8;
    const uint32_t low = i + 1 < bytes.size() ? std::to_integer<uint32_t>(bytes[i + 1]) : 0;
    sum += high | low;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(~sum);
}

std::vector<std::byte> RandomBytes(size_t n, uint64_t seed) {
  SeededRng rng(seed);
  std::vector<std::byte> bytes(n);
  for (std::byte& b : bytes) b = static_cast<std::byte>(rng.Next());
  return bytes;
}

uint16_t Sum(Bytes bytes) {
  Checksum sum;
  sum.Add(bytes);
  return sum.Finish();
}

TEST(Checksum, IsThatOfTheExampleInRfc1071) {
  const std::vector<std::byte> bytes = {std::byte{0x00}, std::byte{0x01}, std::byte{0xf2},
                                        std::byte{0x03}, std::byte{0xf4}, std::byte{0xf5},
                                        std::byte{0xf6}, std::byte{0xf7}};
  EXPECT_EQ(Sum(bytes), static_cast<uint16_t>(~0xddf2));
}

TEST(Checksum, AgreesWithTheNaiveSumAtEveryLengthAndAlignment) {
  const auto bytes = RandomBytes(1024 + 64, 1);
  for (size_t align = 0; align < 64; ++align) {
    for (size_t n = 0; n < 1024; n += n < 300 ? 1 : 13) {
      const Bytes piece = Bytes(bytes).subspan(align, n);
      ASSERT_EQ(Sum(piece), Naive(piece)) << "align " << align << " length " << n;
    }
  }
}

TEST(Checksum, AgreesWithTheNaiveSumOfALargeBuffer) {
  const auto bytes = RandomBytes(65535, 2);
  EXPECT_EQ(Sum(bytes), Naive(bytes));
}

TEST(Checksum, DoesNotOverflowOnAllOnes) {
  const std::vector<std::byte> ones(65535, std::byte{0xff});
  EXPECT_EQ(Sum(ones), Naive(ones));
}

TEST(Checksum, CopySumsAndCopiesAtEveryLengthAndAlignment) {
  const auto bytes = RandomBytes(1024, 3);
  for (size_t from = 0; from < 8; ++from) {
    for (size_t to = 0; to < 8; ++to) {
      for (size_t n = 0; n < 700; n += n < 200 ? 1 : 17) {
        std::vector<std::byte> out(n + to + 1, std::byte{0xaa});
        const Bytes piece = Bytes(bytes).subspan(from, n);
        Checksum sum;
        sum.AddCopy(out.data() + to, piece);
        ASSERT_EQ(sum.Finish(), Naive(piece));
        ASSERT_EQ(Bytes(out).subspan(to, n), piece);
        ASSERT_EQ(out.back(), std::byte{0xaa}) << "wrote beyond the end";
      }
    }
  }
}

TEST(Checksum, DoesNotDependOnHowTheBytesAreCut) {
  const auto bytes = RandomBytes(2000, 4);
  SeededRng rng(5);
  for (int round = 0; round < 500; ++round) {
    Checksum sum;
    for (size_t at = 0; at < bytes.size();) {
      const size_t n = std::min<size_t>(rng.Below(200), bytes.size() - at);
      sum.Add(Bytes(bytes).subspan(at, n));
      at += n;
    }
    ASSERT_EQ(sum.Finish(), Naive(bytes));
  }
}

TEST(Checksum, AppendsAnotherAfterAnOddNumberOfBytes) {
  const auto bytes = RandomBytes(101, 6);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    Checksum first, second;
    first.Add(Bytes(bytes).first(cut));
    second.Add(Bytes(bytes).subspan(cut));
    first.Append(second);
    ASSERT_EQ(first.Finish(), Naive(bytes)) << cut;
  }
}

TEST(Checksum, WordsAreBigEndian) {
  Checksum sum;
  sum.AddWord(0x1234);
  EXPECT_EQ(sum.Finish(), static_cast<uint16_t>(~0x1234));
}

TEST(Checksum, OverDataWithItsOwnChecksumIsZero) {
  auto bytes = RandomBytes(64, 7);
  bytes[10] = bytes[11] = std::byte{0};
  const uint16_t value = Sum(bytes);
  bytes[10] = static_cast<std::byte>(value >> 8);
  bytes[11] = static_cast<std::byte>(value & 0xff);
  EXPECT_EQ(Sum(bytes), 0);
}

}  // namespace
}  // namespace netchannel::wire
