// SPDX-License-Identifier: Apache-2.0
#include "vns/send_buffer.h"

#include <algorithm>
#include <limits>

namespace netchannel {

void SendBuffer::Open(uint64_t size, StreamOffset limit, Begin begin) {
  una_ = nxt_ = written_ = 0;
  size_ = size;
  limit_ = limit;
  acknowledged_.Clear();
  fin_requested_ = fin_sent_ = fin_acknowledged_ = false;
  accepted_ = begin == Begin::kAccepted;
}

void SendBuffer::OnAccepted() {
  if (accepted_) return;
  accepted_ = true;
  una_ = acknowledged_.ContiguousEnd(0);
  acknowledged_.RemoveBelow(una_);
}

void SendBuffer::Rewind(StreamOffset limit) {
  nxt_ = 0;
  limit_ = limit;
  acknowledged_.Clear();
  fin_sent_ = fin_acknowledged_ = false;
}

bool SendBuffer::Write(StreamOffset tail) {
  if (tail < written_ || tail - una_ > size_) return false;
  if (fin_requested_ && tail != written_) return false;
  written_ = tail;
  return true;
}

SendBuffer::Range SendBuffer::Peek(ByteCount max) const {
  constexpr ByteCount kMaxLength = std::numeric_limits<uint32_t>::max();
  const ByteCount length = std::min({max, ready(), kMaxLength});
  const bool fin = fin_requested_ && !fin_sent_ && nxt_ + length == written_;
  return {nxt_, static_cast<uint32_t>(length), fin};
}

void SendBuffer::Commit(const Range& range) {
  nxt_ += range.length;
  fin_sent_ = fin_sent_ || range.fin;
}

bool SendBuffer::OnAcknowledged(const Range& range) {
  bool progress = false;
  const StreamOffset end = range.offset + range.length;
  if (range.fin && fin_sent_ && !fin_acknowledged_) progress = fin_acknowledged_ = true;
  if (end > nxt_ || end <= una_) return progress;
  if (range.offset > una_ || !accepted_) return acknowledged_.Add(range.offset, end) && progress;
  una_ = acknowledged_.ContiguousEnd(end);
  acknowledged_.RemoveBelow(una_);
  return true;
}

}  // namespace netchannel
