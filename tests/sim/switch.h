// SPDX-License-Identifier: Apache-2.0
//
// A switch with a fixed table: a frame goes out of the port of its destination address. Queues and
// faults are those of the link behind each port. A frame for nobody is counted and dropped.
//
// Owner: the network. Thread: one.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "sim/frame_pool.h"
#include "sim/packet_headers.h"

namespace netchannel::sim {

class Switch final : public FrameSink {
 public:
  // `port` is the link towards the host with this address. It outlives the switch's last frame.
  void Connect(const MacAddress& mac, FrameSink* port) { ports_[mac] = port; }

  void OnFrame(Frame frame) override {
    const auto mac = DestinationMac(frame.bytes());
    const auto port = mac.has_value() ? ports_.find(*mac) : ports_.end();
    if (port == ports_.end()) {
      ++unknown_;
      return;
    }
    port->second->OnFrame(std::move(frame));
  }

  uint64_t unknown() const { return unknown_; }

 private:
  std::map<MacAddress, FrameSink*> ports_;
  uint64_t unknown_ = 0;
};

}  // namespace netchannel::sim
