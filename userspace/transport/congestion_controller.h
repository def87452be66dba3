// SPDX-License-Identifier: Apache-2.0
//
// How many bytes may be in flight. Implementations: cubic.h (RFC 9438 with HyStart++), dctcp.h (RFC
// 8257).
//
// What a congestion episode is, is decided before (recovery_episode.h, loss_budget.h): OnCongestion
// comes once per episode, and OnSpurious takes back the last one. Acknowledgements are told once
// per ACK, in sum.
#pragma once

#include <algorithm>
#include <memory>

#include "base/units.h"
#include "transport/types.h"

namespace netchannel::transport {

struct AckSample {
  Time now;
  PacketNumber largest_acked = 0;
  PacketNumber next_number = 0;  // of the next packet to be sent: names round trips
  ByteCount acked_bytes = 0;
  uint32_t acked_packets = 0;
  uint32_t ce_packets = 0;  // newly reported CE marks
  Duration rtt;             // of this ACK; zero when it gave no sample
  Duration smoothed_rtt;
  bool window_limited = false;  // what is acknowledged was sent with the window full
  bool in_recovery = false;     // it was sent before the last reduction
};

class CongestionController {
 public:
  // RFC 6928 allows 10 packets for the internet; hosts of one datacentre take 32 (as Swift and
  // others do), at jumbo sizes fewer, so that the first burst is no more than a small switch
  // buffer.
  static constexpr ByteCount kInitialPackets = 32;
  static constexpr ByteCount kMaxInitialWindow = 512 * 1024;
  static constexpr ByteCount kMinPackets = 2;  // RFC 9002 section 7.2

  static ByteCount InitialWindow(ByteCount packet_size) {
    return std::max(std::min(kInitialPackets * packet_size, kMaxInitialWindow),
                    kMinPackets * packet_size);
  }

  virtual ~CongestionController() = default;
  virtual void OnAck(const AckSample& sample) = 0;
  virtual void OnCongestion(Time now) = 0;
  // RFC 9002 section 7.6: nothing got through for several PTOs.
  virtual void OnPersistentCongestion() = 0;
  // The last OnCongestion (and OnPersistentCongestion) answered to packets that were not lost.
  virtual void OnSpurious() = 0;
  virtual void SetPacketSize(ByteCount packet_size) = 0;

  virtual ByteCount window() const = 0;
  virtual bool in_slow_start() const = 0;
  virtual bool ecn_capable() const = 0;  // packets are sent ECT(0)
};

// `max_window`: bytes above which the window does not grow, since more can never be in flight.
std::unique_ptr<CongestionController> MakeCongestionController(CongestionAlgorithm algorithm,
                                                               ByteCount packet_size,
                                                               ByteCount max_window);

}  // namespace netchannel::transport
