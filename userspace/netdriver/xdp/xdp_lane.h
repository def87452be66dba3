// SPDX-License-Identifier: Apache-2.0
//
// A Lane (netdriver/device.h) over one AF_XDP socket. Receive reads batches of descriptors and puts
// multi-buffer packets together; Reserve, Submit and Flush fill and push the TX ring.
//
// Flush makes the kernel send (tx_kick.h), or has a channel thread do it (channel_thread.h).
//
// Owner: XdpDevice. Thread: one at a time, the same for all lanes of a queue. Errors: counted in
// LaneStats.
#pragma once

#include <cstdint>

#include "netdriver/device.h"
#include "netdriver/xdp/channel_thread.h"
#include "netdriver/xdp/queue_port.h"
#include "netdriver/xdp/tx_kick.h"
#include "netdriver/xdp/tx_pool.h"
#include "netdriver/xdp/xsk.h"

namespace netchannel {

struct LaneStats {
  uint64_t rx_packets = 0;
  uint64_t rx_bytes = 0;
  uint64_t tx_packets = 0;
  uint64_t tx_bytes = 0;
  uint64_t handed_over = 0;  // received for another lane's port
  uint64_t rx_too_long = 0;  // dropped: more than kMaxRxChunks chunks
  uint64_t tx_kicks = 0;     // system calls
  uint64_t tx_again = 0;     // the kernel took no more for now
  uint64_t tx_dropped = 0;   // the kernel or driver dropped a packet
  uint64_t tx_errors = 0;    // kicks refused for another reason; the interface is down, for example
  // The kernel's XDP_STATISTICS, since the socket was opened.
  uint64_t rx_dropped = 0;
  uint64_t rx_invalid_descs = 0;
  uint64_t tx_invalid_descs = 0;
  uint64_t rx_ring_full = 0;
  uint64_t rx_fill_ring_empty_descs = 0;
  uint64_t tx_ring_empty_descs = 0;
};

// Without a socket, between Detach and Attach, it is silent: nothing comes, and nothing can be
// reserved.
class XdpLane final : public Lane {
 public:
  // `umem`: the whole area. `tx_base`: address of the lane's first transmit slot in it.
  XdpLane(const LaneInfo& info, uint16_t udp_port, absl::Span<std::byte> umem, xdp::QueuePort* port,
          uint64_t tx_base, const xdp::UmemBudget& budget);

  const LaneInfo& info() const override { return info_; }
  size_t Receive(absl::Span<RxPacket> out) override;
  void Release(absl::Span<const RxPacket> packets) override;
  absl::Span<std::byte> Reserve() override;
  void Submit(size_t length) override;
  bool Flush() override;
  size_t in_flight() const override { return tx_pool_.in_flight(); }
  // Changes when XdpDevice::Supervise rebuilds the sockets; -1 without one.
  int wait_fd() const override { return xsk_ != nullptr ? xsk_->fd() : -1; }

  // Asks the kernel for its part: a system call.
  LaneStats ReadStats() const;

  uint16_t udp_port() const { return udp_port_; }
  const xdp::QueuePort& port() const { return *port_; }
  const xdp::TxPool& tx_pool() const { return tx_pool_; }

  // From here on the thread makes the kernel send. Before the first socket.
  void UseThread(xdp::ChannelThread* thread);
  // Null: who flushes sends.
  const xdp::ChannelThread* thread() const { return thread_; }

  // XdpDevice's: a new socket, also after a rebuild. Drops what was under way in the old one.
  void Attach(xdp::Xsk* xsk, bool zero_copy);
  // The socket is about to be deleted.
  void Detach();

 private:
  bool Accept(const xdp_desc& descriptor, RxPacket* packet);
  void CountReceived(const RxPacket& packet);
  void GiveBackChunks(RxPacket* packet);
  bool Kick();

  const LaneInfo info_;
  const uint16_t udp_port_;
  const absl::Span<std::byte> umem_;
  xdp::QueuePort* const port_;
  xdp::TxPool tx_pool_;
  xdp::Xsk* xsk_ = nullptr;
  bool zero_copy_ = false;

  RxPacket partial_;  // between two Receives: the chunks of a packet whose rest has not arrived
  bool skipping_ = false;  // the rest of a packet that was too long

  bool reserved_ = false;
  uint32_t reserved_slot_ = 0;
  uint32_t unsubmitted_ = 0;  // descriptors written and not yet shown to the kernel

  xdp::ChannelThread* thread_ = nullptr;
  uint32_t place_ = 0;  // in the thread

  LaneStats stats_;
  xdp::TxCounters tx_counters_;
};

}  // namespace netchannel
