// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/copy/copy_pipeline.h"

namespace netchannel {

bool CopyPipeline::HasRoom(uint64_t length) const {
  return count_ == 0 || (count_ < kWindow && in_flight_ + length <= max_in_flight_);
}

void CopyPipeline::CopyHere(Entry& entry, const CopyPiece& piece) {
  entry.copied = CopyOf(piece, checked_);
  entry.ticket.reset();
  totals_.caller_pieces += 1;
  totals_.caller_bytes += entry.copied;
}

void CopyPipeline::Add(const CopyPiece& piece) {
  Entry& entry = At(count_);
  entry.length = piece.length;
  count_ += 1;
  in_flight_ += piece.length;
  entry.ticket = queues_->Submit(piece);
  if (!entry.ticket) CopyHere(entry, piece);
}

uint64_t CopyPipeline::Collect() {
  uint64_t bytes = 0;
  while (count_ > 0 && !fault()) {
    Entry& first = At(0);
    size_t copied = first.copied;
    if (first.ticket) {
      if (!queues_->IsDone(*first.ticket)) break;
      copied = queues_->copied(*first.ticket);
      queues_->Release(*first.ticket);
      totals_.worker_pieces += 1;
      totals_.worker_bytes += copied;
    }
    if (copied < first.length) totals_.faults += 1;
    bytes += copied;
    in_flight_ -= first.length;
    head_ = (head_ + 1) % kWindow;
    count_ -= 1;
  }
  if (fault()) Cancel();
  return bytes;
}

bool CopyPipeline::Help() {
  for (uint32_t i = 0; i < count_; ++i) {
    Entry& entry = At(i);
    if (!entry.ticket || !queues_->TakeBack(*entry.ticket)) continue;
    const CopyPiece piece = queues_->piece(*entry.ticket);
    queues_->Release(*entry.ticket);
    CopyHere(entry, piece);
    return true;
  }
  return false;
}

void CopyPipeline::Await() {
  const Entry& first = At(0);
  if (first.ticket) queues_->Await(*first.ticket);
}

void CopyPipeline::Cancel() {
  for (uint32_t i = 0; i < count_; ++i) {
    const Entry& entry = At(i);
    if (!entry.ticket) continue;
    if (!queues_->TakeBack(*entry.ticket)) queues_->Await(*entry.ticket);
    queues_->Release(*entry.ticket);
  }
  count_ = 0;
  in_flight_ = 0;
}

}  // namespace netchannel
