// SPDX-License-Identifier: Apache-2.0
//
// One host's protocol stack without threads, clocks or shared memory: the driver, the scheduler and
// the virtual sockets, wired over lanes, and the order in which one round visits them.
//
//   Receive    lanes -> Driver::OnPacket -> SocketLayer::OnDelivery     (a frame's way in)
//   Transmit   SocketLayer::Pump -> Scheduler -> Driver::PollTransmit   (a byte's way out)
//
// The caller does its applications' part between the two, so that what arrived can be answered in
// the same round. The simulator runs the same class under virtual time.
//
// Thread: one at a time (the lease, stack/runner.h). Memory: bounded by the configurations of the
// parts.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/rng.h"
#include "base/units.h"
#include "netdriver/device.h"
#include "netdriver/driver.h"
#include "netdriver/stream_table.h"
#include "netscheduler/scheduler.h"
#include "vns/socket_layer.h"

namespace netchannel {

struct HostConfig {
  DriverConfig driver;
  SchedulerConfig scheduler;  // max_flows follows from the sockets
  SocketLayerConfig sockets;
};

class Host {
 public:
  // The lanes, hops, pool and rng outlive the host.
  static absl::StatusOr<std::unique_ptr<Host>> Create(const HostConfig& config,
                                                      absl::Span<Lane* const> lanes, NextHops* hops,
                                                      BufferPool* pool, Rng* rng, Time now);
  ~Host();

  // Takes at most kBatch packets from each lane. Returns the number of packets.
  size_t Receive(Time now);
  // Runs timers, hands ready bytes to channels, sends. Returns the number of packets and segments
  // moved.
  size_t Transmit(Time now);
  // When Transmit must be called again although nothing arrives.
  Time NextTimeout() const;

  // Live steering (Driver::SteerLane): also the order in which lanes are received from.
  void SteerLane(uint32_t lane, AppClass app_class, uint32_t via);

  Driver& driver() { return *driver_; }
  const Driver& driver() const { return *driver_; }
  Scheduler& scheduler() { return *scheduler_; }
  SocketLayer& sockets() { return *sockets_; }
  const SocketLayer& sockets() const { return *sockets_; }
  absl::Span<Lane* const> lanes() const { return lanes_; }

 private:
  // 32 packets amortise a lane's visit (the curve is flat from 8 on); more would let a bulk lane
  // delay a latency one.
  static constexpr size_t kBatch = 32;
  static constexpr size_t kTransmitBudget = 64;
  static constexpr size_t kPumpBudget = 64;

  Host(absl::Span<Lane* const> lanes, uint32_t max_streams);
  void SortLanes();
  size_t ReceiveFrom(Time now, Lane& lane);
  void DrainDriverEvents(Time now);

  std::vector<Lane*> lanes_;  // latency class first
  StreamTable streams_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<SocketLayer> sockets_;
  std::vector<RxPacket> batch_;
  std::vector<Delivery> deliveries_;
};

}  // namespace netchannel
