// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/queue_port.h"

#include <algorithm>

namespace netchannel::xdp {

QueuePort::QueuePort(uint32_t queue, uint32_t first_chunk, uint32_t chunk_count)
    : queue_(queue), first_chunk_(first_chunk), owner_(chunk_count, Owner::kKernel) {
  spare_.reserve(chunk_count);
}

void QueuePort::Start() {
  spare_.clear();
  for (uint32_t chunk = static_cast<uint32_t>(owner_.size()); chunk > 0; --chunk) {
    if (owner_[chunk - 1] == Owner::kUser) continue;
    owner_[chunk - 1] = Owner::kSpare;
    spare_.push_back(chunk - 1);
  }
  Refill();
}

void QueuePort::Refill() {
  const uint32_t wanted = static_cast<uint32_t>(spare_.size());
  if (wanted == 0) return;
  const uint32_t count = std::min(wanted, xsk_prod_nb_free(&fill_, wanted));
  uint32_t index = 0;
  if (count == 0 || xsk_ring_prod__reserve(&fill_, count, &index) != count) return;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t chunk = spare_.back();
    spare_.pop_back();
    owner_[chunk] = Owner::kKernel;
    *xsk_ring_prod__fill_addr(&fill_, index + i) = uint64_t{first_chunk_ + chunk} * kChunkSize;
  }
  xsk_ring_prod__submit(&fill_, count);
}

void QueuePort::Reap() {
  uint32_t index = 0;
  const uint32_t count = xsk_ring_cons__peek(&completion_, completion_.size, &index);
  if (count == 0) return;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t address = *xsk_ring_cons__comp_addr(&completion_, index + i);
    const auto pool = std::find_if(tx_pools_.begin(), tx_pools_.end(),
                                   [address](const TxPool* p) { return p->Owns(address); });
    if (pool == tx_pools_.end()) {
      ++invalid_;
    } else {
      (*pool)->Complete(address);
    }
  }
  completions_ += count;
  xsk_ring_cons__release(&completion_, count);
}

}  // namespace netchannel::xdp
