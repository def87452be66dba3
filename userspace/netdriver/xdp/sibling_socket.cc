// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/sibling_socket.h"

#include <sys/socket.h>

#include <cerrno>

namespace netchannel::xdp {

namespace {

// Of xsk_ring_prod and xsk_ring_cons, which have the same fields.
template <typename Ring>
void Describe(Ring* ring, std::byte* base, const xdp_ring_offset& offsets, uint32_t descriptors) {
  ring->mask = descriptors - 1;
  ring->size = descriptors;
  ring->producer = reinterpret_cast<uint32_t*>(base + offsets.producer);
  ring->consumer = reinterpret_cast<uint32_t*>(base + offsets.consumer);
  ring->flags = reinterpret_cast<uint32_t*>(base + offsets.flags);
  ring->ring = base + offsets.desc;
  ring->cached_prod = *ring->producer;
  ring->cached_cons = *ring->consumer;
}

}  // namespace

std::unique_ptr<SiblingSocket> SiblingSocket::Bind(const Place& place, xsk_ring_cons* rx,
                                                   xsk_ring_prod* tx, int* error) {
  std::unique_ptr<SiblingSocket> socket(new SiblingSocket());
  *error = socket->Open(place, rx, tx) ? 0 : errno;
  if (*error != 0) return nullptr;
  return socket;
}

bool SiblingSocket::Open(const Place& place, xsk_ring_cons* rx, xsk_ring_prod* tx) {
  fd_ = UniqueFd(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!fd_.valid()) return false;
  if (setsockopt(fd(), SOL_XDP, XDP_RX_RING, &place.rx_ring, sizeof(place.rx_ring)) != 0 ||
      setsockopt(fd(), SOL_XDP, XDP_TX_RING, &place.tx_ring, sizeof(place.tx_ring)) != 0) {
    return false;
  }
  xdp_mmap_offsets offsets{};
  socklen_t length = sizeof(offsets);
  if (getsockopt(fd(), SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) != 0) return false;
  rx_ = Map(offsets.rx, place.rx_ring, XDP_PGOFF_RX_RING);
  if (rx_.base == MAP_FAILED) return false;
  tx_ = Map(offsets.tx, place.tx_ring, XDP_PGOFF_TX_RING);
  if (tx_.base == MAP_FAILED) return false;
  Describe(rx, static_cast<std::byte*>(rx_.base), offsets.rx, place.rx_ring);
  Describe(tx, static_cast<std::byte*>(tx_.base), offsets.tx, place.tx_ring);
  tx->cached_cons += place.tx_ring;  // xsk.h keeps a producer's view of the consumer one ring ahead

  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  address.sxdp_ifindex = place.ifindex;
  address.sxdp_queue_id = place.queue;
  address.sxdp_flags = XDP_SHARED_UMEM;
  address.sxdp_shared_umem_fd = static_cast<uint32_t>(place.first_fd);
  return bind(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

SiblingSocket::Mapping SiblingSocket::Map(const xdp_ring_offset& offsets, uint32_t descriptors,
                                          uint64_t page_offset) {
  const size_t size = offsets.desc + size_t{descriptors} * sizeof(xdp_desc);
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd(),
                    static_cast<off_t>(page_offset));
  return {base, size};
}

SiblingSocket::~SiblingSocket() {
  if (rx_.base != MAP_FAILED) munmap(rx_.base, rx_.size);
  if (tx_.base != MAP_FAILED) munmap(tx_.base, tx_.size);
}

}  // namespace netchannel::xdp
