// SPDX-License-Identifier: Apache-2.0
//
// A further AF_XDP socket on a queue that already has one: it shares that socket's UMEM, fill and
// completion rings (XDP_SHARED_UMEM with the descriptor of the queue's own first socket).
//
// libxdp cannot make it on any queue but the UMEM's first: xsk_socket__create_shared always names
// the first socket of the UMEM, which is bound to another queue, and the kernel then answers EINVAL
// (xsk_bind in net/xdp/xsk.c: another queue needs rings of its own).
//
// Owner: Xsk. The descriptor and both mappings live as long as the object. Thread: any one at a
// time.
#pragma once

#include <sys/mman.h>
#include <xdp/xsk.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/unique_fd.h"
#include "netdriver/xdp/uapi.h"

namespace netchannel::xdp {

class SiblingSocket {
 public:
  struct Place {
    uint32_t ifindex = 0;
    uint32_t queue = 0;
    uint32_t rx_ring = 0;  // descriptors
    uint32_t tx_ring = 0;
    int first_fd = -1;  // the first socket of this queue
  };
  // Fills `rx` and `tx`, which must not outlive the socket. 0 in `error`, or a positive errno and
  // nullptr.
  static std::unique_ptr<SiblingSocket> Bind(const Place& place, xsk_ring_cons* rx,
                                             xsk_ring_prod* tx, int* error);
  ~SiblingSocket();
  SiblingSocket(const SiblingSocket&) = delete;
  SiblingSocket& operator=(const SiblingSocket&) = delete;

  int fd() const { return fd_.get(); }

 private:
  struct Mapping {
    void* base = MAP_FAILED;
    size_t size = 0;
  };

  SiblingSocket() = default;
  bool Open(const Place& place, xsk_ring_cons* rx, xsk_ring_prod* tx);
  Mapping Map(const xdp_ring_offset& offsets, uint32_t descriptors, uint64_t page_offset);

  UniqueFd fd_;
  Mapping rx_, tx_;
};

}  // namespace netchannel::xdp
