// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/xsk_set.h"

#include <algorithm>

namespace netchannel::xdp {
namespace {

// What the kernel charges a socket for a packet beside its bytes: struct sk_buff and the rounding
// of its data. Generous, as the limit only has to be out of the way.
constexpr uint32_t kSkbOverhead = 1024;
// The least budget of one sendto that the kernel accepts (TX_BATCH_SIZE): also its default.
constexpr uint32_t kLeastKickBudget = 32;

}  // namespace

absl::StatusOr<std::unique_ptr<XskSet>> XskSet::Open(
    const XskSetConfig& config, absl::Span<std::byte> area,
    const std::vector<std::unique_ptr<QueuePort>>& ports,
    const std::vector<std::unique_ptr<XdpLane>>& lanes) {
  std::unique_ptr<XskSet> set(new XskSet());
  QueuePort* first = ports.front().get();
  auto umem = XskUmem::Register(area, {.fill = first->fill_ring(),
                                       .completion = first->completion_ring(),
                                       .fill_size = config.budget.fill_ring,
                                       .completion_size = config.budget.completion_ring});
  if (!umem.ok()) return umem.status();
  set->umem_ = *std::move(umem);
  for (const auto& port : ports) {
    Xsk* first_of_queue = nullptr;
    for (const auto& lane : lanes) {
      if (lane->info().queue != port->queue()) continue;
      const auto status = set->OpenLane(config, port.get(), first_of_queue, lane.get());
      if (!status.ok()) return status;
      if (first_of_queue == nullptr) first_of_queue = set->sockets_.back().get();
    }
    port->Start();
  }
  return set;
}

absl::Status XskSet::OpenLane(const XskSetConfig& config, QueuePort* port,
                              const Xsk* first_of_queue, XdpLane* lane) {
  const XskConfig socket_config{
      .ifname = config.ifname,
      .queue = port->queue(),
      .rx_ring = config.budget.rx_ring,
      .tx_ring = config.budget.tx_ring,
      .fill = port->fill_ring(),
      .completion = port->completion_ring(),
  };
  auto xsk = first_of_queue != nullptr ? Xsk::CreateSibling(socket_config, *first_of_queue)
             : sockets_.empty() ? Xsk::CreateFirst(socket_config, umem_.get(), config.preference,
                                                   config.multi_buffer, &mode_)
                                : Xsk::CreateFurther(socket_config, umem_.get());
  if (!xsk.ok()) return xsk.status();
  const uint32_t chunks = config.budget.LaneTxChunks();
  const uint32_t kick =
      std::max(kLeastKickBudget, kLeastKickBudget * config.budget.tx_chunks_per_slot);
  (*xsk)->RaiseLimits(chunks * (kChunkSize + kSkbOverhead), std::min(config.budget.tx_ring, kick));
  lane->Attach(xsk->get(), mode_.zero_copy);
  sockets_.push_back(*std::move(xsk));
  lanes_.push_back(lane);
  return absl::OkStatus();
}

XskSet::~XskSet() {
  for (XdpLane* lane : lanes_) lane->Detach();
  while (!sockets_.empty()) sockets_.pop_back();
}

}  // namespace netchannel::xdp
