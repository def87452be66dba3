// SPDX-License-Identifier: Apache-2.0
//
// One AF_XDP socket with its RX and TX rings, and the UMEM registration that sockets share. Thin:
// what libxdp's xsk.h offers, with retries, with reasons, and with errors that say what to do.
//
// The kernel's rules (facts of AF_XDP): the first socket of a UMEM chooses copy or zero-copy,
// multi-buffer and wake-up mode for all. One owner a queue; a queue that was just closed stays busy
// for a while.
//
// Owner: XskSet (below), which deletes in the order the kernel wants. Thread: rings as QueuePort;
// the rest set-up only.
#pragma once

#include <xdp/xsk.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "netdriver/xdp/sibling_socket.h"
#include "netdriver/xdp/uapi.h"

namespace netchannel::xdp {

enum class ModePreference : uint8_t { kAuto, kCopy, kZeroCopy };

// What the first bind came to.
struct BindMode {
  bool zero_copy = false;
  bool multi_buffer = false;
  std::string reason;  // why copy, or that zero-copy was granted
};

class XskUmem {
 public:
  struct Rings {
    xsk_ring_prod* fill;
    xsk_ring_cons* completion;
    uint32_t fill_size;
    uint32_t completion_size;
  };
  // Registers `area`. `rings` are the first queue's; all queues' have the same sizes.
  static absl::StatusOr<std::unique_ptr<XskUmem>> Register(absl::Span<std::byte> area,
                                                           const Rings& rings);
  ~XskUmem() { xsk_umem__delete(umem_); }
  XskUmem(const XskUmem&) = delete;
  XskUmem& operator=(const XskUmem&) = delete;

  xsk_umem* get() const { return umem_; }

 private:
  explicit XskUmem(xsk_umem* umem) : umem_(umem) {}
  xsk_umem* umem_;
};

struct XskConfig {
  std::string ifname;
  uint32_t queue = 0;
  uint32_t rx_ring = 0;
  uint32_t tx_ring = 0;
  // Of the queue.
  xsk_ring_prod* fill = nullptr;
  xsk_ring_cons* completion = nullptr;
};

class Xsk {
 public:
  // The first socket of `umem`: tries what `preference` allows, and says in `mode` what it came to.
  static absl::StatusOr<std::unique_ptr<Xsk>> CreateFirst(const XskConfig& config, XskUmem* umem,
                                                          ModePreference preference,
                                                          bool multi_buffer, BindMode* mode);
  // The first socket of a further queue: inherits the mode.
  static absl::StatusOr<std::unique_ptr<Xsk>> CreateFurther(const XskConfig& config, XskUmem* umem);
  // A further socket on the queue of `first`, which outlives it: shares its rings and mode.
  static absl::StatusOr<std::unique_ptr<Xsk>> CreateSibling(const XskConfig& config,
                                                            const Xsk& first);
  // Bound to nothing: rings without a kernel behind them.
  Xsk() = default;
  ~Xsk() { xsk_socket__delete(socket_); }
  Xsk(const Xsk&) = delete;
  Xsk& operator=(const Xsk&) = delete;

  int fd() const { return sibling_ != nullptr ? sibling_->fd() : xsk_socket__fd(socket_); }
  bool zero_copy() const;
  xdp_statistics statistics() const;

  // Makes room for `bytes` of packets on their way, and lets one Kick take `descriptors`. Best
  // effort: both have defaults in the kernel.
  void RaiseLimits(uint32_t bytes, uint32_t descriptors);

  // Submitted descriptors that the kernel has not taken from the TX ring. Any thread.
  uint32_t tx_queued() const {
    return __atomic_load_n(tx.producer, __ATOMIC_ACQUIRE) -
           __atomic_load_n(tx.consumer, __ATOMIC_ACQUIRE);
  }
  // Makes the kernel look at the TX ring. 0 or a positive errno.
  int KickTx();
  // Makes a zero-copy driver look at the fill ring.
  void KickRx();

  xsk_ring_cons rx{};
  xsk_ring_prod tx{};

 private:
  // 0 or a positive errno, after bounded retries while the queue is busy.
  int Bind(const XskConfig& config, XskUmem* umem, uint16_t bind_flags);

  // One of the two.
  xsk_socket* socket_ = nullptr;
  std::unique_ptr<SiblingSocket> sibling_;
};

}  // namespace netchannel::xdp
