// SPDX-License-Identifier: Apache-2.0
//
// The NetScheduler: which socket sends next, how much, and on which channel of its session.
//
// It knows flows (a socket's sending side) and channels as numbers, not what is behind them.
// Latency flows are served before throughput flows; within a class, deficit round robin by bytes
// (Shreedhar and Varghese, SIGCOMM 1995) with a quantum per weight; the channel is chosen by a
// ChannelPolicy (netscheduler/channel_policy.h), by name: "round-robin" (a burst on one, then the
// next), "least-backlog", "source-port-hash", "pinned". A latency flow uses the latency channels of
// its session, or any when there are none; a throughput flow likewise. Channels without room are
// skipped; when all are full the flow waits, which is the back-pressure to its writer.
//
// Latency strictly first means that latency flows that fill their channels for good leave
// throughput flows nothing but what the latency channels refuse: every grant ends when their
// channels have no room.
//
// Owner: the stack. Thread: the one that holds the host's lease. Errors: none; unknown flows are
// bugs. Cost: O(channels of one session) a grant, whatever the number of flows. All flows of a
// session and class whose channels are full are set aside together and looked at once a round
// (BeginRound), so a round costs O(sessions with full channels) on top of its grants; a flow that
// its policy ties to one full channel is set aside alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "base/stream.h"
#include "base/units.h"
#include "netdriver/session_port.h"

namespace netchannel {

struct SchedulerConfig {
  std::string_view policy = "round-robin";  // a name in channel_policy.h's registry
  ByteCount quantum = 64 * 1024;            // bytes a flow of weight 1 may send in its turn
  uint32_t max_flows = 65536;
};

using FlowId = uint32_t;  // the stream's slot in the StreamTable

inline constexpr uint32_t kMaxFlowWeight =
    255;  // enough to tell flows apart, and a turn has an end

struct FlowTraits {
  AppClass app_class = AppClass::kThroughput;
  uint32_t weight = 1;       // 1..kMaxFlowWeight: its share among the flows of its class
  uint16_t source_port = 0;  // of who opened the stream
};

struct Grant {
  FlowId flow = 0;
  SessionHandle session;
  uint8_t channel = 0;
  ByteCount bytes = 0;  // at most this much; may be 0 for a bare FIN
};

class Scheduler {
 public:
  static absl::StatusOr<std::unique_ptr<Scheduler>> Create(const SchedulerConfig& config);
  ~Scheduler();

  void AddFlow(FlowId flow, SessionHandle session, const FlowTraits& traits);
  void RemoveFlow(FlowId flow);
  // The flow has bytes (or a FIN) that its peer's window allows. Idempotent.
  void SetReady(FlowId flow, ByteCount bytes, bool fin);
  // It has none any more.
  void SetIdle(FlowId flow);
  void SetClass(FlowId flow, AppClass app_class);
  // From the flow's next turn on.
  void SetWeight(FlowId flow, uint32_t weight);

  // Flows that found no room get another look from here on. Once in front of a batch of Next calls.
  void BeginRound(Time now);
  // The next grant, or nullopt when no ready flow has a channel with room. `port` says what the
  // channels of a session can take. Each grant is answered by OnSent before the next call.
  std::optional<Grant> Next(SessionPort& port);
  // `used` bytes were sent. Nothing sent of a grant means that the channel refused: the flow waits
  // for the next round.
  void OnSent(const Grant& grant, ByteCount used, ByteCount remaining, bool fin_remaining);

  // A limit of what a class may send, RateLimit::kMin to kMax; 0: none (netscheduler/rate_limit.h).
  void SetRate(AppClass app_class, Bandwidth rate);
  Bandwidth rate(AppClass app_class) const;
  // When flows that wait for their class's rate may go on; infinite when none waits.
  Time NextTimeout() const;

  // Changes the policy by name while running; an unknown name is refused and the old one stays.
  absl::Status SetPolicy(std::string_view name);
  std::string_view policy() const;

 private:
  struct Impl;
  explicit Scheduler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace netchannel
