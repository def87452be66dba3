// SPDX-License-Identifier: Apache-2.0
//
// CUBIC (RFC 9438) with fast convergence and the Reno-friendly region, and HyStart++ (RFC 9406) for
// slow start. The RFC counts in segments; here windows are bytes and a segment is the current
// packet size.
//
// Time in which the window was not used does not count as growth (section 5.8): the epoch is
// shifted.
#pragma once

#include "transport/congestion_controller.h"
#include "transport/hystart.h"

namespace netchannel::transport {

class Cubic final : public CongestionController {
 public:
  Cubic(ByteCount packet_size, ByteCount max_window);

  void OnAck(const AckSample& sample) override;
  void OnCongestion(Time now) override;
  void OnPersistentCongestion() override;
  void OnSpurious() override;
  void SetPacketSize(ByteCount packet_size) override;
  ByteCount window() const override { return static_cast<ByteCount>(now_.window); }
  bool in_slow_start() const override { return now_.window < now_.ssthresh; }
  bool ecn_capable() const override { return false; }

  static constexpr double kC = 0.4;     // section 4.5 and 5.1
  static constexpr double kBeta = 0.7;  // section 4.6
  // The time from the epoch's start until the window is w_max again, in seconds (section 4.2,
  // figure 2). Windows in segments.
  static double K(double w_max, double window);

 private:
  // What OnSpurious restores (section 4.9.1).
  struct State {
    double window = 0;
    double ssthresh = 0;
    double w_max = 0;
    double prior_window = 0;  // before the last reduction (cwnd_prior)
    double w_est = 0;         // what Reno would have
    double k = 0;             // seconds
    Time epoch_start;
    bool in_epoch = false;
  };

  void GrowInSlowStart(const AckSample& sample);
  void GrowInAvoidance(const AckSample& sample);
  void StartEpoch(Time now);
  double Reno(double segments_acked);

  double size_;  // bytes of a segment
  double max_window_;
  State now_;
  State before_;  // the last reduction
  Time last_ack_;
  bool reduced_once_ = false;
  HyStart hystart_;
};

}  // namespace netchannel::transport
