// SPDX-License-Identifier: Apache-2.0
//
// A frame's way in: wire checks, then by type to the handshake, to a channel, or to the end of a
// session.
//
// Every byte is checked before any is believed: headers, then the UDP checksum over the whole
// datagram, then the token, then all records. A packet that fails leaves no state but a counter.
//
// Owner: the driver. Thread: the one that runs it. Errors: DropReason, counted.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "netdriver/active_channels.h"
#include "netdriver/device.h"
#include "netdriver/driver_config.h"
#include "netdriver/drop_reason.h"
#include "netdriver/event_queue.h"
#include "netdriver/handshaker.h"
#include "netdriver/session_life.h"
#include "netdriver/session_table.h"
#include "wire/datagram.h"
#include "wire/packet.h"
#include "wire/record_reader.h"

namespace netchannel {

class Receiver {
 public:
  Receiver(const DriverConfig& config, uint32_t lanes, SessionTable* sessions, SessionLife* life,
           Handshaker* handshaker, ActiveChannels* active, EventQueue* events);

  // Appends what the packet delivers; nullopt when it was used.
  std::optional<DropReason> OnPacket(Time now, uint32_t lane, const RxPacket& packet,
                                     std::vector<Delivery>& out);

 private:
  std::optional<DropReason> OnData(Time now, uint32_t lane, const RxPacket& packet,
                                   const wire::Datagram& datagram, const wire::PacketHeader& header,
                                   std::vector<Delivery>& out);
  std::optional<DropReason> OnStale(const wire::Datagram& datagram, uint64_t token);
  std::optional<DropReason> OnHandshake(Time now, uint32_t lane, const RxPacket& packet,
                                        const wire::Datagram& datagram, wire::PacketError version,
                                        wire::PacketType type);
  bool IsForUs(const wire::Datagram& datagram) const;
  static ReturnPath PathBack(uint32_t lane, const RxPacket& packet, const wire::Datagram& datagram);

  const DriverConfig& config_;
  uint32_t lanes_;
  SessionTable* sessions_;
  SessionLife* life_;
  Handshaker* handshaker_;
  ActiveChannels* active_;
  EventQueue* events_;
  wire::Record scratch_;
};

}  // namespace netchannel
