// SPDX-License-Identifier: Apache-2.0
#include "vns/receive_buffer.h"

#include <algorithm>

namespace netchannel {

void ReceiveBuffer::Open(const RingView& ring, ByteCount window, ByteCount max_window) {
  ring_ = ring;
  received_ = consumed_ = grown_at_ = frozen_ = 0;
  max_window_ = std::min<ByteCount>(max_window, ring.size);
  told_ = window_ = std::min(window, max_window_);
  fin_at_ = kUnknown;
  islands_.Clear();
  discarding_ = false;
}

void ReceiveBuffer::SetMaxWindow(ByteCount max_window) {
  max_window_ = std::min<ByteCount>(max_window, ring_.size);
  window_ = std::min(window_, max_window_);
}

std::optional<ReceiveBuffer::Verdict> ReceiveBuffer::Check(StreamOffset offset, StreamOffset end,
                                                           bool fin) const {
  if (offset > kMaxOffset) return Verdict::kOverflow;
  if (end > told_) return Verdict::kBeyondWindow;
  const StreamOffset highest = islands_.empty() ? received_ : islands_.newest().end;
  if (fin_at_ != kUnknown) {
    if (end > fin_at_) return Verdict::kBeyondFin;
    if (fin && end != fin_at_) return Verdict::kFinMoved;
  } else if (fin && highest > end) {
    return Verdict::kBeyondFin;
  }
  return std::nullopt;
}

ReceiveBuffer::Verdict ReceiveBuffer::Place(StreamOffset offset, uint32_t length, bool fin,
                                            absl::Span<const absl::Span<const std::byte>> pieces) {
  if (length == 0 && !fin) return Verdict::kNothingNew;
  const StreamOffset end = offset + length;
  if (const auto violation = Check(offset, end, fin)) return *violation;
  const bool end_is_new = fin && fin_at_ == kUnknown;
  if (fin) fin_at_ = end;
  if (end <= received_) return end_is_new ? Verdict::kStored : Verdict::kNothingNew;
  if (length == 0) return end_is_new ? Verdict::kStored : Verdict::kNothingNew;
  if (offset > received_ || !islands_.empty()) {
    const Verdict verdict = PlaceOutOfOrder(offset, end, pieces);
    return end_is_new && verdict == Verdict::kNothingNew ? Verdict::kStored : verdict;
  }
  Copy(received_, end, offset, pieces);
  received_ = end;
  return Verdict::kStored;
}

ReceiveBuffer::Verdict ReceiveBuffer::PlaceOutOfOrder(
    StreamOffset offset, StreamOffset end, absl::Span<const absl::Span<const std::byte>> pieces) {
  if (islands_.ContainsAll(offset, end)) return Verdict::kNothingNew;
  StreamOffset at = std::max(offset, received_);
  for (const IntervalSet::Range& island : islands_.OldestFirst()) {
    if (island.end <= at) continue;
    if (island.begin >= end) break;
    if (island.begin > at) Copy(at, island.begin, offset, pieces);
    at = island.end;
  }
  if (at < end) Copy(at, end, offset, pieces);
  if (!islands_.Add(std::max(offset, received_), end)) return Verdict::kTooManyGaps;
  received_ = islands_.ContiguousEnd(received_);
  islands_.RemoveBelow(received_);
  return Verdict::kStored;
}

// Bytes [from, to) of the stream, out of `pieces` whose first byte is at `offset`.
void ReceiveBuffer::Copy(StreamOffset from, StreamOffset to, StreamOffset offset,
                         absl::Span<const absl::Span<const std::byte>> pieces) const {
  if (discarding_) return;
  for (absl::Span<const std::byte> piece : pieces) {
    const StreamOffset piece_end = offset + piece.size();
    if (piece_end > from) {
      const StreamOffset begin = std::max(offset, from);
      const StreamOffset stop = std::min(piece_end, to);
      if (begin >= stop) return;
      const absl::Span<const std::byte> bytes = piece.subspan(begin - offset, stop - begin);
      const bool in_place = ring_.Contiguous(begin, bytes.size()).data() == bytes.data();
      if (!in_place) ring_.CopyIn(begin, bytes);
    }
    offset = piece_end;
  }
}

bool ReceiveBuffer::Consume(StreamOffset head) {
  if (head < consumed_ || head > readable_end()) return false;
  consumed_ = head;
  if (window_ < max_window_ && head - grown_at_ >= window_) {
    grown_at_ = head;
    const bool keeps_up = unread() <= window_ / 2;
    if (keeps_up) window_ = std::min(window_ * 2, max_window_);
  }
  return true;
}

std::optional<StreamOffset> ReceiveBuffer::PollLimit() {
  const StreamOffset limit = limit_base() + window_;
  if (fin_at_ != kUnknown || limit <= told_) return std::nullopt;
  const bool closed = told_ == received_;
  const ByteCount worth = closed ? std::min(window_ / 4, kReopenBytes) : window_ / 4;
  if (limit - told_ < worth) return std::nullopt;
  told_ = limit;
  return told_;
}

void ReceiveBuffer::Discard() {
  if (discarding_) return;
  frozen_ = received_;
  discarding_ = true;
}

}  // namespace netchannel
