// SPDX-License-Identifier: Apache-2.0
#include "base/interval_set.h"

#include <algorithm>

namespace netchannel {

size_t IntervalSet::FirstEndingAtOrAfter(uint64_t value) const {
  const auto it = std::lower_bound(ranges_.begin(), ranges_.end(), value,
                                   [](const Range& r, uint64_t v) { return r.end < v; });
  return static_cast<size_t>(it - ranges_.begin());
}

bool IntervalSet::AddSlow(uint64_t begin, uint64_t end) {
  if (begin >= end) return true;
  const size_t first = FirstEndingAtOrAfter(begin);
  size_t last = first;  // one past the ranges that overlap or touch [begin, end)
  while (last < ranges_.size() && ranges_[last].begin <= end) ++last;
  if (first == last) {
    if (ranges_.size() >= max_ranges_) return false;
    ranges_.insert(ranges_.begin() + static_cast<ptrdiff_t>(first), Range{begin, end});
    return true;
  }
  ranges_[first].begin = std::min(ranges_[first].begin, begin);
  ranges_[first].end = std::max(ranges_[last - 1].end, end);
  ranges_.erase(ranges_.begin() + static_cast<ptrdiff_t>(first) + 1,
                ranges_.begin() + static_cast<ptrdiff_t>(last));
  return true;
}

uint64_t IntervalSet::ContiguousEnd(uint64_t from) const {
  // Most questions are about the first range (reassembly) or the last (newest packets).
  if (ranges_.empty() || from >= ranges_.back().end) return from;
  if (from < ranges_.front().end) {
    return from < ranges_.front().begin ? from : ranges_.front().end;
  }
  const Range& candidate = ranges_[FirstEndingAtOrAfter(from + 1)];
  return candidate.begin <= from ? candidate.end : from;
}

void IntervalSet::RemoveBelow(uint64_t limit) {
  if (ranges_.empty() || ranges_.front().begin >= limit) return;
  if (ranges_.back().end <= limit) {
    ranges_.clear();
    return;
  }
  const size_t first = FirstEndingAtOrAfter(limit + 1);
  ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<ptrdiff_t>(first));
  ranges_.front().begin = std::max(ranges_.front().begin, limit);
}

uint64_t IntervalSet::CountValues() const {
  uint64_t sum = 0;
  for (const Range& r : ranges_) sum += r.length();
  return sum;
}

}  // namespace netchannel
