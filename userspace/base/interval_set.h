// SPDX-License-Identifier: Apache-2.0
//
// An ordered set of half-open ranges [begin, end) of uint64: bytes that have arrived out of order,
// packet numbers to acknowledge, stream ids that were seen.
//
// Invariants: ranges are sorted, not empty, and neither overlap nor touch (touching ones are
// merged), so the number of ranges is the number of gaps plus one. There are never more than
// `max_ranges`: an Add that would need one more is refused and changes nothing, so a peer that
// sends every second byte costs a bounded amount of memory and time.
//
// Cost: O(1) when ranges are appended at the end, else a binary search and a move of at most
// max_ranges elements. The first kInlineRanges need no heap. Thread: one at a time. Errors: none
// but the refusal.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"

namespace netchannel {

class IntervalSet {
 public:
  struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;  // exclusive
    uint64_t length() const { return end - begin; }
    bool operator==(const Range&) const = default;
  };

  static constexpr size_t kInlineRanges = 2;  // in order, or with one hole: the usual cases

  explicit IntervalSet(size_t max_ranges) : max_ranges_(max_ranges) {}

  // Adds [begin, end). An empty range changes nothing. False when the set would exceed max_ranges:
  // nothing was added.
  [[nodiscard]] bool Add(uint64_t begin, uint64_t end) {
    if (!ranges_.empty()) {
      Range& last = ranges_.back();
      if (begin >= last.begin && begin <= last.end) {
        if (end > last.end) last.end = end;
        return true;
      }
    }
    return AddSlow(begin, end);
  }

  bool Contains(uint64_t value) const { return ContiguousEnd(value) != value; }
  // True when all of [begin, end) is in the set; an empty range always is.
  bool ContainsAll(uint64_t begin, uint64_t end) const {
    return begin >= end || ContiguousEnd(begin) >= end;
  }

  // The first value at or above `from` that is not in the set.
  uint64_t ContiguousEnd(uint64_t from) const;

  // Removes every value below `limit`.
  void RemoveBelow(uint64_t limit);
  // Removes the range of the smallest values, to make room. Precondition: !empty().
  void RemoveOldest() { ranges_.erase(ranges_.begin()); }
  void Clear() { ranges_.clear(); }

  bool empty() const { return ranges_.empty(); }
  size_t size() const { return ranges_.size(); }
  size_t max_ranges() const { return max_ranges_; }
  // How many values are in the set. O(size).
  uint64_t CountValues() const;

  // Preconditions: !empty().
  const Range& oldest() const { return ranges_.front(); }
  const Range& newest() const { return ranges_.back(); }

  // Ascending; valid until the next change.
  absl::Span<const Range> OldestFirst() const { return ranges_; }

  // Descending, for a range-for loop; valid until the next change.
  struct Descending {
    absl::Span<const Range> ranges;
    auto begin() const { return ranges.rbegin(); }
    auto end() const { return ranges.rend(); }
  };
  Descending NewestFirst() const { return {ranges_}; }

 private:
  bool AddSlow(uint64_t begin, uint64_t end);
  // Index of the first range with end >= value (it contains, touches or lies above `value`).
  size_t FirstEndingAtOrAfter(uint64_t value) const;

  size_t max_ranges_;
  absl::InlinedVector<Range, kInlineRanges> ranges_;
};

}  // namespace netchannel
