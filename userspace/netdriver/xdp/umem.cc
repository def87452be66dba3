// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/umem.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "netdriver/xdp/failure.h"

namespace netchannel::xdp {

UmemBudget PlanUmem(const UmemDemand& demand) {
  UmemBudget budget;
  budget.fill_ring = demand.rx_ring;
  budget.rx_ring = demand.rx_ring;
  budget.tx_chunks_per_slot = TxChunksPerFrame(demand.mtu);
  budget.tx_slots = std::max(1u, demand.tx_ring / budget.tx_chunks_per_slot);
  // Room for every slot at once: neither Submit nor a completion ever meets a full ring.
  budget.tx_ring = std::bit_ceil(budget.LaneTxChunks());
  budget.completion_ring = std::bit_ceil(demand.max_lanes_per_queue * budget.LaneTxChunks());
  budget.fill_chunks = uint64_t{demand.queues} * budget.fill_ring;
  budget.rx_chunks = uint64_t{demand.lanes} * budget.rx_ring;
  budget.tx_chunks = uint64_t{demand.lanes} * budget.LaneTxChunks();
  return budget;
}

absl::StatusOr<std::unique_ptr<UmemArea>> UmemArea::Allocate(uint64_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return Failure(errno, absl::StrCat("allocate ", bytes >> 20, " MiB for packets"),
                   "use fewer lanes or smaller rings");
  }
  // Huge pages where the kernel has some: fewer TLB misses. Without them all works as well.
  madvise(memory, bytes, MADV_HUGEPAGE);
  return std::unique_ptr<UmemArea>(
      new UmemArea(absl::MakeSpan(static_cast<std::byte*>(memory), bytes)));
}

UmemArea::~UmemArea() { munmap(bytes_.data(), bytes_.size()); }

}  // namespace netchannel::xdp
