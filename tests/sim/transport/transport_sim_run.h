// SPDX-License-Identifier: Apache-2.0
//
// Two ends, two links, and what came of a transfer. A run that does not complete within its bound
// of virtual time has failed: that is how a deadlock shows.
//
// Owner: the test. Thread: one.
#pragma once

#include <cstdint>
#include <memory>

#include "base/units.h"
#include "sim/virtual_time.h"
#include "transport_sim_endpoint.h"
#include "transport_sim_link.h"

namespace netchannel::sim {

struct TransportScenario {
  transport::ConnectionConfig connection;
  TransportLinkConfig forward;
  TransportLinkConfig backward;
  TransportWorkload client;  // sends over `forward`
  TransportWorkload server;
  StallConfig stall;
  Duration limit = Duration::Seconds(60);
  uint64_t seed = 1;
};

class TransportRun {
 public:
  explicit TransportRun(const TransportScenario& scenario)
      : scenario_(scenario),
        forward_(&events_, scenario.forward, scenario.seed),
        backward_(&events_, scenario.backward, scenario.seed + 1),
        client_(&events_, scenario.connection, scenario.client, scenario.stall, scenario.seed + 2),
        server_(&events_, scenario.connection, scenario.server, scenario.stall, scenario.seed + 3) {
    forward_.set_sink([this](TransportPacket packet) { server_.OnArrival(std::move(packet)); });
    backward_.set_sink([this](TransportPacket packet) { client_.OnArrival(std::move(packet)); });
    client_.Connect(&forward_, &server_);
    server_.Connect(&backward_, &client_);
    client_.Start();
    server_.Start();
    start_ = events_.now();
  }

  // True when both ends have and know everything.
  bool Run() { return RunUntil(start_ + scenario_.limit); }
  bool RunUntil(Time deadline) {
    while (events_.RunOne(deadline)) {
      if (client_.quiet() && server_.quiet() && Complete()) return true;
    }
    return Complete();
  }

  Duration elapsed() const { return events_.now() - start_; }
  Time start() const { return start_; }
  TransportEndpoint& client() { return client_; }
  TransportEndpoint& server() { return server_; }
  TransportLink& forward() { return forward_; }
  TransportLink& backward() { return backward_; }

  // Share of the forward link's rate that arrived as new payload.
  double ForwardUse() const {
    const double carried = scenario_.forward.rate.bytes_per_second() * elapsed().seconds();
    return static_cast<double>(server_.bytes_received()) / carried;
  }

 private:
  bool Complete() const {
    return server_.HasAll(scenario_.client) && client_.HasAll(scenario_.server) &&
           client_.SentAll() && server_.SentAll();
  }

  const TransportScenario scenario_;
  EventQueue events_;
  TransportLink forward_;
  TransportLink backward_;
  TransportEndpoint client_;
  TransportEndpoint server_;
  Time start_;
};

}  // namespace netchannel::sim
