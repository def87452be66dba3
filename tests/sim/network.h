// SPDX-License-Identifier: Apache-2.0
//
// A simulation: hosts, the links between them, one clock, one seed. Two hosts are joined by a pair
// of links; more by a switch with a pair of links to each host.
//
// Owner: the test. Destroy users of sockets before the network. Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/frame_pool.h"
#include "sim/link.h"
#include "sim/sim_host.h"
#include "sim/switch.h"
#include "sim/trace.h"
#include "sim/virtual_time.h"

namespace netchannel::sim {

class Network {
 public:
  explicit Network(uint64_t seed, bool ipv6 = false) : rng_(seed), ipv6_(ipv6) {}

  // Hosts are numbered from 1 in the order of their making.
  SimHost& AddHost(const HostOptions& options);
  // Joins host 1 and host 2.
  void Join(const LinkConfig& to_second, const LinkConfig& to_first);
  // Joins all hosts through a switch: `up` is from each host, `down` to each host.
  void JoinByStar(const LinkConfig& up, const LinkConfig& down);
  void StartAll();

  // Runs until `done`, asked between events; false when `limit` has passed before.
  bool RunUntil(const std::function<bool()>& done, Duration limit);
  void RunFor(Duration time) {
    RunUntil([] { return false; }, time);
  }

  SimHost& host(size_t index) { return *hosts_[index]; }
  size_t host_count() const { return hosts_.size(); }
  // With Join: 0 is towards the second host, 1 towards the first. With a star: 2 i is up from host
  // i.
  Link& link(size_t index) { return *links_[index]; }
  size_t link_count() const { return links_.size(); }
  EventQueue& events() { return events_; }
  Trace& trace() { return trace_; }
  Time now() const { return events_.now(); }
  uint64_t frames_outstanding() const { return frames_.outstanding(); }

  // What each host and link counted, for a failure's report.
  std::string Describe();

 private:
  Link* AddLink(const LinkConfig& config, FrameSink* out);
  void IntroduceHosts();

  SeededRng rng_;
  const bool ipv6_;
  EventQueue events_;
  Trace trace_;
  FramePool frames_;
  Switch switch_;
  std::vector<std::unique_ptr<SimHost>> hosts_;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace netchannel::sim
