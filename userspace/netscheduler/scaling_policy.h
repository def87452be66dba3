// SPDX-License-Identifier: Apache-2.0
//
// How many channels a class of a session keeps open. Asked once a period for each session and class
// with what the period was like; answers with one step at most. What a policy has to remember is in
// the ScalingState that it is handed, so that it can be exchanged while traffic flows.
//
//   "fixed"     as many as at first (session.channels)
//   "adaptive"  more while bytes wait although the channels' threads or queues are busy, which is
//               what another channel helps against; bytes that wait for the network or for the peer
//               it would not help. One more channel is on trial: when the class does not send more
//               with it, it goes again, and the next trial comes later. Fewer, when the others
//               carry what there is with room to spare. Between both thresholds nothing changes.
//
// Sans-I/O. Thread: any one at a time. Errors: none.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/stream.h"
#include "base/units.h"

namespace netchannel {

// One class of one session over one period.
struct ScalingSample {
  uint32_t open = 1;                     // channels; at least 1
  uint32_t least = 1, most = 1;          // bounds of `open`; most includes those that are closed
  ByteCount backlog = 0;                 // bytes waiting in the open channels, at the end
  ByteCount backlog_limit = 256 * 1024;  // of one channel
  ByteCount taken = 0;                   // bytes that the channels took in the period
  // Shares from 0 to 1, each the highest among the open channels:
  double cpu = 0;    // of its time that the thread which serves a channel was busy
  double queue = 0;  // of the lane's visits that found its transmit queue full
};

enum class ScalingStep : uint8_t { kStay, kGrow, kShrink };

struct ScalingState {
  uint16_t pressed = 0;        // periods in a row that asked for more
  uint16_t relaxed = 0;        // that could do with less
  uint16_t trial = 0;          // periods left of the trial of a channel at most; 0: none
  uint16_t hold = 0;           // periods without a new trial
  uint16_t next_hold = 0;      // after the next vain trial; 0: the first
  bool gained = false;         // in the last try
  ByteCount taken_before = 0;  // in as many periods as a try has, before the trial
  ByteCount taken_during = 0;
  ByteCount recent = 0;  // of the periods that pressed
};

class ScalingPolicy {
 public:
  virtual ~ScalingPolicy() = default;
  virtual std::string_view name() const = 0;
  // kGrow only below `most`, kShrink only above `least`.
  virtual ScalingStep Decide(const ScalingSample& sample, ScalingState& state) const = 0;
};

// Of a period of ChannelScaler::kPeriod each.
struct AdaptiveScaling {
  static constexpr uint16_t kPressed = 8;  // before a trial
  static constexpr uint16_t kSettle = 8;   // periods of a trial that do not count yet
  static constexpr uint16_t kTrial = 8;    // then so many must bring the gain
  // Or the next so many, and so on: where the channels' own queues make round trips long, the new
  // channel's window takes some hundred milliseconds to open.
  // Two in a row must bring it: of five, one may do so by chance where the rate varies.
  static constexpr uint16_t kTries = 5;
  static constexpr uint16_t kRelaxed = 100;   // before a channel goes: ten times as slow as it came
  static constexpr uint16_t kFirstHold = 50;  // after a vain trial, doubling
  static constexpr uint16_t kMaxHold = 6400;
  // A thread or queue that is busy for this share cannot take much more.
  static constexpr double kBusy = 0.8;
  // The others must stay below this with one channel less: far enough below kBusy.
  static constexpr double kIdle = 0.5;
  static constexpr double kGain = 1.08;  // what a channel on trial must bring; above the noise
  static_assert(kIdle < kBusy);
};

// nullptr when there is none of that name.
std::unique_ptr<ScalingPolicy> MakeScalingPolicy(std::string_view name);
inline constexpr std::string_view kScalingPolicies[] = {"fixed", "adaptive"};

}  // namespace netchannel
