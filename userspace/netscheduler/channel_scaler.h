// SPDX-License-Identifier: Apache-2.0
//
// Keeps the number of open channels of each session and class where its policy wants it: samples
// them once a period, asks the policy (scaling_policy.h), chooses which channel
// (channel_placement.h), and has the driver open or close it. Every change is an entry of a short
// log.
//
// No session is looked at more than once a period, and at most kSessionsPerLook in one call: with
// more sessions the period of each is longer. What is remembered of a session goes with it.
//
// Sans-I/O. Owner: Host. Thread: the one that holds the host's lease. Errors: an unknown policy is
// refused.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/units.h"
#include "netdriver/driver.h"
#include "netscheduler/channel_placement.h"
#include "netscheduler/scaling_policy.h"

namespace netchannel {

struct ChannelScalerConfig {
  std::string_view policy = "fixed";
  uint32_t least = 1;                    // open channels of a class
  ByteCount backlog_limit = 256 * 1024;  // of one channel
};

class ChannelScaler {
 public:
  static constexpr Duration kPeriod = Duration::Millis(10);
  static constexpr size_t kSessionsPerLook = 64;
  static constexpr size_t kLogEntries = 64;

  static absl::StatusOr<ChannelScaler> Create(const ChannelScalerConfig& config);

  // When Look is due next; infinite when nothing is to be scaled.
  Time NextLook() const { return next_look_; }
  // `lanes`: by lane index, since the last Look.
  void Look(Time now, Driver& driver, absl::Span<const LaneLoad> lanes);

  std::string_view policy() const { return policy_->name(); }

  struct Change {
    Time at;
    SessionHandle session;
    AppClass app_class = AppClass::kThroughput;
    uint8_t channel = 0;
    bool opened = false;
    uint32_t open = 0;  // of the class, after it
    ScalingSample why;
  };
  // The last ones, oldest first, and how many there ever were.
  const std::deque<Change>& log() const { return log_; }
  uint64_t changes() const { return changes_; }

 private:
  struct SessionState {
    uint32_t generation = 0;  // of the session in the slot
    std::array<ScalingState, kAppClasses> classes;
    std::array<ByteCount, kAppClasses> taken{};  // since the session came up, at the last look
  };

  ChannelScaler(const ChannelScalerConfig& config, std::unique_ptr<ScalingPolicy> policy);
  SessionState& StateOf(SessionHandle session);
  void LookAt(Time now, Driver& driver, SessionHandle session, AppClass app_class,
              absl::Span<const LaneLoad> lanes);
  ScalingSample SampleOf(absl::Span<const ChannelInfo> channels, AppClass app_class,
                         absl::Span<const LaneLoad> lanes, ByteCount& taken_before) const;
  void Note(const Change& change);

  ChannelScalerConfig config_;
  std::unique_ptr<ScalingPolicy> policy_;
  Time next_look_;
  uint32_t cursor_ = 0;
  std::vector<SessionHandle> sessions_;                 // of a look
  absl::flat_hash_map<uint32_t, SessionState> states_;  // by slot: at most as many as sessions ever
  std::deque<Change> log_;
  uint64_t changes_ = 0;
};

// "throughput channel 3 of session 0 opened, 2 open: 180 KiB wait, threads 97 % busy, queue 4 %
// full"
std::string Describe(const ChannelScaler::Change& change);

}  // namespace netchannel
