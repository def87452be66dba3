// SPDX-License-Identifier: Apache-2.0
//
// Builds a transport's planned packet straight into a lane's buffer: packet header, records, and
// payload copied from the streams' send rings with its checksum in the same pass.
//
// A segment whose stream is gone is left out. When that leaves nothing that asks for an
// acknowledgement although the plan had something, a PING takes its place: the packet's number is
// used, and the transport waits to hear of it.
//
// Thread: the one that runs the driver. Memory: none. Errors: none; a plan that does not fit is cut
// short (the transport's bug), never written beyond the buffer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "netdriver/stream_table.h"
#include "transport/connection.h"
#include "wire/chunks.h"
#include "wire/datagram.h"

namespace netchannel {

// Writes the packet to `frame` behind the headers, and the headers in front of it.
// Returns the packet's bytes from the packet header on. `ack` is nullptr when the plan has none.
size_t BuildPacket(const transport::PacketPlan& plan, const wire::Ack* ack, uint64_t token,
                   StreamTable& streams, const wire::DatagramHeader& headers,
                   wire::MutableBytes frame);

// A packet that only says that the session ends.
size_t BuildClosePacket(PacketNumber number, uint64_t token, wire::CloseCode code,
                        const wire::DatagramHeader& headers, wire::MutableBytes frame);

}  // namespace netchannel
