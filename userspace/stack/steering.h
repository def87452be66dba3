// SPDX-License-Identifier: Apache-2.0
//
// Live steering: brings what somebody has written into the pinned maps `policy`, `lanes` and
// `peers` into force in a running stack, whoever the writer is (`netchannel steer`, bpftool). The
// XDP program reads the same maps and follows by itself.
//
//   policy   read from memory in each Poll (10 ms at most, when awake)
//   lanes    each read once in kReadPeriod, and when the knob `generation` has moved
//   peers    likewise, all together
//
// The reads take turns over the period: all at once they took 40 us, which stood in the P99.9 of a
// program whose round trips take 14.
//
// A value that makes no sense (stack/steering_rules.h) is refused: counted, logged, and the last
// good one is put back into the map, where it never left force in the stack. What cannot be put
// back is refused once. Between two reads only the last value of an entry is seen.
//
// The maps outlive the stack: what is in `policy` and `peers` when a stack starts is in force from
// its first Poll on. `lanes` begins anew with each stack.
//
// Owner: LiveInterface. Thread: the one that holds the lease. Errors: a map that cannot be read
// leaves all as it is, until the next time. Cost: a Poll without a change is NC_KNOBS loads, and in
// each kReadPeriod a syscall a lane, one for the peers and 0.2 us for each of them.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "abi.h"
#include "base/units.h"
#include "netdriver/xdp/xdp_device.h"
#include "stack/bridge.h"
#include "stack/host.h"
#include "stack/steering_log.h"

namespace netchannel {

class Steering {
 public:
  // `configured_policy`: what a channel policy of 0 means.
  Steering(XdpDevice* device, std::string configured_policy);

  // Precondition: the host runs over the device's lanes.
  void Poll(Time now, Host& host, Bridge& bridge);

  const SteeringLog& log() const { return log_; }
  uint64_t knob(nc_knob knob) const { return knobs_[knob]; }
  const xdp::LaneEntry& lane(size_t index) const { return lanes_[index]; }

 private:
  // Of the 100 ms within which a change is in force: the stack may be asleep for 50 of them, and a
  // status document takes its time.
  static constexpr Duration kReadPeriod = Duration::Millis(30);

  struct PrefixLess {
    bool operator()(const nc_peer_prefix& a, const nc_peer_prefix& b) const;
  };
  using PeerMap = std::map<nc_peer_prefix, nc_peer, PrefixLess>;

  void PollKnob(Time now, nc_knob knob, Host& host);
  void Apply(Time now, nc_knob knob, uint64_t value, Host& host);
  void SetPolicy(Time now, uint64_t number, Host& host);

  // The entry whose turn it is.
  void PollNext(Time now, Host& host, Bridge& bridge);
  void PollLane(Time now, size_t index, const nc_lane* value, Host& host);
  void PollPeers(Time now, Host& host, Bridge& bridge);
  // Adds to `good` what is in force for the entry's prefix from here on.
  void TakePeer(Time now, const xdp::PeerEntry& entry, PeerMap& good);

  void Changed(Time now, std::string what) { log_.Add(now, false, std::move(what)); }
  void Refused(Time now, const std::string& what, const absl::Status& why,
               const absl::Status& put_back);

  XdpDevice& device_;
  xdp::SteeringMaps& maps_;
  const std::string configured_policy_;
  SteeringLog log_;
  Time next_read_;
  size_t next_ = 0;  // an index into lanes_; at its end: the peers

  // In force:
  std::array<uint64_t, NC_KNOBS> knobs_{};
  std::vector<xdp::LaneEntry> lanes_;
  PeerMap peers_;
  // Refused, and still in the map: it could not be put back.
  std::array<uint64_t, NC_KNOBS> stuck_knobs_{};
  std::vector<nc_lane> stuck_lanes_;
  PeerMap stuck_peers_;
};

}  // namespace netchannel
