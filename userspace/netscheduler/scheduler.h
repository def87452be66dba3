// SPDX-License-Identifier: Apache-2.0
//
// The NetScheduler: which socket sends next, how much, and on which channel of its session.
//
// It knows flows (a socket's sending side) and channels as numbers, not what is behind them. Latency flows
// are served before throughput flows; within a class, deficit round robin by bytes (Shreedhar and Varghese,
// SIGCOMM 1995) with a quantum per weight; the channel is chosen by a ChannelPolicy
// (netscheduler/channel_policy.h), by name: "round-robin" (a burst on one, then the next), "least-backlog".
// Channels above their backlog limit are skipped; when all are full the flow waits, which is the
// back-pressure to its writer.
//
// Owner: the stack. Thread: the one that holds the host's lease. Errors: none; unknown flows are bugs.
// Cost: O(1) a grant, whatever the number of idle flows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "base/stream.h"
#include "base/units.h"
#include "netdriver/driver.h"

namespace netchannel {

struct SchedulerConfig {
  std::string_view policy = "round-robin";
  ByteCount quantum = 64 * 1024;  // bytes a flow of weight 1 may send in its turn
  uint32_t max_flows = 65536;
};

using FlowId = uint32_t;  // the stream's slot in the StreamTable

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

  void AddFlow(FlowId flow, SessionHandle session, AppClass app_class, uint32_t weight);
  void RemoveFlow(FlowId flow);
  // The flow has bytes (or a FIN) that its peer's window allows. Idempotent.
  void SetReady(FlowId flow, ByteCount bytes, bool fin);
  // It has none any more.
  void SetIdle(FlowId flow);
  void SetClass(FlowId flow, AppClass app_class);

  // The next grant, or nullopt when no ready flow has a channel with room. `driver` says what the
  // channels of a session can take. A flow is told what it used by OnSent.
  std::optional<Grant> Next(Driver& driver);
  void OnSent(const Grant& grant, ByteCount used, ByteCount remaining, bool fin_remaining);

  // Changes the policy by name while running; an unknown name is refused and the old one stays.
  absl::Status SetPolicy(std::string_view name);

 private:
  struct Impl;
  explicit Scheduler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace netchannel
