// SPDX-License-Identifier: Apache-2.0
//
// DCTCP (RFC 8257): the window shrinks in proportion to the fraction of packets that switches
// marked. Growth, and the answer to loss, are Reno's (RFC 5681), as section 3.5 says.
#pragma once

#include "transport/congestion_controller.h"

namespace netchannel::transport {

class Dctcp final : public CongestionController {
 public:
  Dctcp(ByteCount packet_size, ByteCount max_window);

  void OnAck(const AckSample& sample) override;
  void OnCongestion(Time now) override;
  void OnPersistentCongestion() override;
  void OnSpurious() override;
  void SetPacketSize(ByteCount packet_size) override;
  ByteCount window() const override { return static_cast<ByteCount>(now_.window); }
  bool in_slow_start() const override { return now_.window < now_.ssthresh; }
  bool ecn_capable() const override { return true; }

  double alpha() const { return alpha_; }

  static constexpr double kGain = 1.0 / 16;  // g, section 4.2
  static constexpr double kBeta = 0.5;       // RFC 5681 section 3.1, for loss

 private:
  struct State {
    double window = 0;
    double ssthresh = 0;
  };

  void EndObservation(const AckSample& sample);
  void Reduce(double factor);

  double size_;  // bytes of a segment
  double max_window_;
  State now_;
  State before_;        // the last answer to loss
  double alpha_ = 1.0;  // section 4.2: the first marks halve the window
  // One observation window, about a round trip (section 3.3).
  uint64_t acked_packets_ = 0;
  uint64_t ce_packets_ = 0;
  PacketNumber observation_end_ = 0;
  bool reduced_once_ = false;
};

}  // namespace netchannel::transport
