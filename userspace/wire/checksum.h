// SPDX-License-Identifier: Apache-2.0
//
// The Internet checksum (RFC 1071), over bytes that come in pieces of any length and alignment.
//
//   Checksum sum = pseudo_header;          // copyable: a constant part is computed once
//   sum.Add(record_header);
//   sum.AddCopy(out, payload);             // copies and sums in one pass over memory
//   StoreBe16(field, sum.Finish());
//
// A Checksum stands for the bytes added so far; a piece that follows an odd number of bytes is
// summed with its bytes swapped, as RFC 1071 section 2(B) allows. Thread: one at a time. Errors:
// none.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "wire/chunks.h"

namespace netchannel::wire {

// The ones' complement sum of `n` bytes as little-endian 16-bit words, an odd last byte padded with
// zero, not folded: any value congruent to it modulo 2^16 - 1, below 2^48.
uint64_t PartialSum(const std::byte* data, size_t n);
// The same, and copies the bytes to `to`, which must not overlap them.
uint64_t CopyAndPartialSum(std::byte* to, const std::byte* from, size_t n);

class Checksum {
 public:
  void Add(Bytes bytes) { Append(PartialSum(bytes.data(), bytes.size()), bytes.size()); }

  // Copies `from` to `to` and adds it. The two must not overlap.
  void AddCopy(std::byte* to, Bytes from) {
    Append(CopyAndPartialSum(to, from.data(), from.size()), from.size());
  }

  // Adds a 16-bit big-endian word. Precondition: an even number of bytes was added so far.
  void AddWord(uint16_t value) { sum_ += __builtin_bswap16(value); }

  // Adds what another Checksum stands for, after this one's bytes.
  void Append(const Checksum& next) { Append(next.sum_, next.odd_ ? 1 : 0); }

  // The value of the checksum field, in host order (store it big-endian). Over data that includes a
  // correct checksum field it is 0.
  uint16_t Finish() const { return __builtin_bswap16(static_cast<uint16_t>(~Fold(sum_))); }

 private:
  static uint16_t Fold(uint64_t sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(sum);
  }

  void Append(uint64_t partial, size_t n) {
    sum_ += odd_ ? uint64_t{__builtin_bswap16(Fold(partial))} : partial;
    odd_ ^= (n & 1) != 0;
  }

  uint64_t sum_ = 0;  // cannot overflow before 2^16 pieces, far above what a packet has
  bool odd_ = false;
};

}  // namespace netchannel::wire
