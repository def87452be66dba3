// SPDX-License-Identifier: Apache-2.0
//
// One host's protocol stack without threads, clocks or shared memory: the driver, the scheduler and
// the virtual sockets, wired over lanes, and the order in which one round visits them.
//
//   Receive    lanes -> Driver::OnPacket -> SocketLayer::OnDelivery     (a frame's way in)
//   Transmit   SocketLayer::Pump -> Scheduler -> Driver::PollTransmit   (a byte's way out)
//
// Over the kernel's TCP there are no lanes, and TcpDriver::ReceiveNext is the way in.
//
// The caller does its applications' part between the two, so that what arrived can be answered in
// the same round. The simulator runs the same class under virtual time.
//
// Thread: one at a time (the lease, stack/runner.h). Memory: bounded by the configurations of the
// parts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/rng.h"
#include "base/units.h"
#include "netdriver/device.h"
#include "netdriver/driver.h"
#include "netdriver/stream_table.h"
#include "netdriver/tcp/tcp_driver.h"
#include "netscheduler/channel_scaler.h"
#include "netscheduler/scheduler.h"
#include "vns/socket_layer.h"

namespace netchannel {

// What the channels run over.
enum class Transport : uint8_t { kLanes, kTcp };

struct HostConfig {
  Transport transport = Transport::kLanes;
  DriverConfig driver;
  SchedulerConfig scheduler;  // max_flows follows from the sockets
  SocketLayerConfig sockets;
  ChannelScalerConfig scaling;  // over lanes
};

// How busy what serves the lanes has been since the last call: fills `cpu` and `core` of each.
class LoadSource {
 public:
  virtual ~LoadSource() = default;
  virtual void Sample(Time now, absl::Span<LaneLoad> lanes) = 0;
};

class Host {
 public:
  // The lanes, hops, pool and rng outlive the host. Over TCP there are no lanes, `hops` is null,
  // and an error says which address cannot be listened at.
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

  // Over lanes: the driver of packets, with its steering and its ICMP errors. Over TCP null.
  Driver* packet_driver() { return packets_; }
  const Driver* packet_driver() const { return packets_; }
  // Live steering (Driver::SteerLane): also the order in which lanes are received from.
  // Precondition: over lanes.
  void SteerLane(uint32_t lane, AppClass app_class, uint32_t via);
  // What polls readable when Receive would find something; -1: the lanes have their own.
  int wait_fd() const { return tcp_ != nullptr ? tcp_->wait_fd() : -1; }

  // What serves the lanes how busily; null (the default): nobody knows, and only the lanes' queues
  // count. Outlives the host.
  void SetLoadSource(LoadSource* source) { loads_from_ = source; }
  // Null over TCP.
  const ChannelScaler* scaler() const { return scaler_.has_value() ? &*scaler_ : nullptr; }

  NetDriver& driver() { return *driver_; }
  const NetDriver& driver() const { return *driver_; }
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
  // Receive calls a round; what more there is waits for what is to be sent meanwhile.
  static constexpr size_t kReadBudget = 16;

  Host(absl::Span<Lane* const> lanes, uint32_t max_streams);
  absl::Status MakeDriver(const HostConfig& config, absl::Span<Lane* const> lanes, NextHops* hops,
                          Rng* rng, Time now);
  void SortLanes();
  size_t ReceiveFrom(Time now, Lane& lane);
  size_t ReceiveFromTcp(Time now);
  void DrainDriverEvents(Time now);
  void ScaleChannels(Time now);

  std::vector<Lane*> lanes_;  // latency class first
  StreamTable streams_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<NetDriver> driver_;
  Driver* packets_ = nullptr;  // driver_, over lanes
  TcpDriver* tcp_ = nullptr;   // driver_, over TCP
  std::unique_ptr<SocketLayer> sockets_;
  std::optional<ChannelScaler> scaler_;  // over lanes
  LoadSource* loads_from_ = nullptr;
  struct Occupancy {
    uint64_t polls = 0, full = 0;
  };
  std::vector<Occupancy> occupancy_;  // of each lane at the last look
  std::vector<LaneLoad> loads_;
  std::vector<RxPacket> batch_;
  std::vector<Delivery> deliveries_;
};

}  // namespace netchannel
