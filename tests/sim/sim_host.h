// SPDX-License-Identifier: Apache-2.0
//
// One host of a simulation: the whole stack (stack/host.h, the class that the threads of a real
// stack run) over simulated lanes, and the users of its sockets.
//
// A round is that of the stack's runner: receive, let the users of changed sockets act, transmit;
// repeated until nothing moves, then the host sleeps until a frame, a timeout or a user wakes it.
// Computation takes no virtual time; `wake_delay` stands for a slow or busy core.
//
// Owner: the network. Users outlive the host's last round, or are removed. Thread: one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/units.h"
#include "netdriver/stream_table.h"
#include "sim/fixed_next_hops.h"
#include "sim/heap_buffer_pool.h"
#include "sim/sim_lane.h"
#include "sim/trace.h"
#include "sim/virtual_time.h"
#include "stack/host.h"

namespace netchannel::sim {

inline constexpr uint16_t kBasePort = 7000;

// Whoever uses a socket: told in the round in which its view changed.
class SocketUser {
 public:
  virtual ~SocketUser() = default;
  virtual void OnChanged(Time now) = 0;
};

struct HostOptions {
  uint32_t mtu = 1500;
  uint32_t queues = 1;  // each with a lane of either class
  uint8_t channels_per_class = 1;
  uint8_t open_per_class = 8;  // of them open at first
  std::string_view scaling = "fixed";
  uint64_t ring_bytes = 256 * 1024;
  uint32_t max_sockets = 64;
  uint32_t max_sessions = 16;
  transport::CongestionAlgorithm congestion = transport::CongestionAlgorithm::kCubic;
  Duration user_timeout = Duration::Seconds(20);
  Duration idle_timeout = Duration::Seconds(60);
  std::string_view policy = "round-robin";
  LaneOptions lane;
  Duration wake_delay;  // from a frame's arrival to the round that sees it: uniform, at most this
};

class SimHost final : public Actor, public FrameSink {
 public:
  // `number` makes the addresses: host n has 10.0.x.y or fd00::n.
  SimHost(EventQueue* events, Trace* trace, FramePool* pool, uint32_t number, bool ipv6,
          const HostOptions& options, uint64_t seed);
  ~SimHost() override;

  // Wiring.
  void set_wire(FrameSink* wire) { egress_.to = wire; }
  FixedNextHops& hops() { return hops_; }
  const wire::IpAddress& address() const { return address_; }
  const MacAddress& mac() const { return mac_; }

  // Starts the stack; a second start is a machine that was rebooted: nothing of the first is left.
  void Start();
  // The machine is off: no word to anyone, and whatever arrives is lost.
  void Kill();
  bool running() const { return host_ != nullptr; }
  // Moves when the stack starts or dies: what an earlier one knew is gone.
  uint32_t incarnation() const { return incarnation_; }

  void OnFrame(Frame frame) override;
  void OnWake(Time now) override;
  // A user did something outside of OnChanged: a round is due.
  void Kick() { WakeAt(now()); }

  SocketLayer& sockets() { return host_->sockets(); }
  NetDriver& driver() { return host_->driver(); }
  Driver& packet_driver() { return *host_->packet_driver(); }
  const ChannelScaler& scaler() const { return *host_->scaler(); }
  void SetLoadSource(LoadSource* source) { host_->SetLoadSource(source); }
  void SetUser(SocketId socket, SocketUser* user);

  const HostOptions& options() const { return options_; }
  const HeapBufferPool& buffers() const { return *buffers_; }
  const NicStats& nic() const { return nic_.stats(); }
  uint64_t drops() const;  // received packets that the driver refused, all reasons
  // Its sessions, channels and sockets, a line each.
  std::string Describe() const;
  uint64_t drops(DropReason reason) const { return host_->driver().drops(reason); }

 private:
  struct Egress final : FrameSink {
    FrameSink* to = nullptr;
    void OnFrame(Frame frame) override { to->OnFrame(std::move(frame)); }
  };

  HostConfig Config() const;
  bool TellUsers(Time now);
  void CheckProgress(Time now);

  Trace* const trace_;
  const uint32_t number_;
  const HostOptions options_;
  const wire::IpAddress address_;
  const MacAddress mac_;
  SeededRng rng_;       // the stack's
  SeededRng wake_rng_;  // ours
  Egress egress_;
  SimNic nic_;
  FixedNextHops hops_;
  std::vector<std::unique_ptr<SimLane>> lanes_;
  std::unique_ptr<HeapBufferPool> buffers_;
  std::unique_ptr<Host> host_;
  std::vector<SocketUser*> users_;  // by SocketId
  uint32_t incarnation_ = 0;
  Time last_round_;
  uint32_t rounds_at_once_ = 0;
};

}  // namespace netchannel::sim
