// SPDX-License-Identifier: Apache-2.0
//
// The records of one packet as deliveries to the virtual sockets, and what the channel itself must
// know of them. Payload is not copied: a delivery points into the received packet. Thread: any.
// Errors: PacketContents::well_formed; what was appended before is for the caller to take back.
#pragma once

#include <cstddef>
#include <vector>

#include "netdriver/packet_channel.h"
#include "netdriver/session_port.h"
#include "wire/record_reader.h"

namespace netchannel {

struct PacketContents {
  bool well_formed = false;
  bool ack_eliciting = false;
  bool has_ack = false;  // it is in the scratch record: the last one, when there are several
  bool closed = false;
};

PacketContents ReadRecords(const ReceivedPacket& packet, SessionHandle session,
                           wire::Record& scratch, std::vector<Delivery>& out);

inline void TruncateDeliveries(std::vector<Delivery>& out, size_t size) {
  while (out.size() > size) out.pop_back();
}

}  // namespace netchannel
