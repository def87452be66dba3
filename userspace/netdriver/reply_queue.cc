// SPDX-License-Identifier: Apache-2.0
#include "netdriver/reply_queue.h"

#include <cstring>

#include "wire/datagram.h"

namespace netchannel {

LinkHeader ReverseLinkHeader(wire::Bytes frame, size_t size) {
  constexpr size_t kMac = sizeof(wire::MacAddress);
  LinkHeader link;
  std::memcpy(link.bytes.data(), frame.data() + kMac, kMac);
  std::memcpy(link.bytes.data() + kMac, frame.data(), kMac);
  std::memcpy(link.bytes.data() + 2 * kMac, frame.data() + 2 * kMac, size - 2 * kMac);
  link.length = static_cast<uint8_t>(size);
  return link;
}

bool SendPacket(LaneSet& lanes, const ReturnPath& to, wire::Bytes packet) {
  const absl::Span<std::byte> frame = lanes.Reserve(to.lane);
  if (frame.empty()) return false;
  const wire::DatagramHeader headers(wire::Bytes(to.link.bytes.data(), to.link.length), to.local,
                                     to.remote);
  wire::Checksum sum;
  sum.AddCopy(frame.data() + headers.size(), packet);
  headers.Write(frame, packet.size(), sum, 0);
  lanes.Submit(to.lane, headers.size() + packet.size());
  return true;
}

size_t ReplyQueue::Send(LaneSet& lanes, size_t budget) {
  size_t sent = 0;
  while (sent < budget && !empty()) {
    const Reply& reply = ring_[head_ % kCapacity];
    if (!SendPacket(lanes, reply.to, wire::Bytes(reply.packet.data(), reply.length))) break;
    ++head_;
    ++sent;
  }
  return sent;
}

}  // namespace netchannel
