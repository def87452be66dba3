// SPDX-License-Identifier: Apache-2.0
//
// The serving side of simulated applications: a listener that makes an Endpoint of each connection,
// and the book in which it finds the connection's plan, by the addresses and ports of both ends,
// which so are tested too.
//
// Owner: the scenario. Thread: one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/sim_app.h"

namespace netchannel::sim {

// Which plan each connection follows, by the names of its two ends.
class StreamBook {
 public:
  void Register(const wire::IpEndpoint& client, const wire::IpEndpoint& server,
                const StreamPlan& plan) {
    plans_[{client, server}] = plan;
  }
  const StreamPlan* Find(const wire::IpEndpoint& client, const wire::IpEndpoint& server) const {
    const auto it = plans_.find({client, server});
    return it == plans_.end() ? nullptr : &it->second;
  }

 private:
  std::map<std::pair<wire::IpEndpoint, wire::IpEndpoint>, StreamPlan> plans_;
};

// A listener that makes an Endpoint of each connection.
class Server final : public SocketUser {
 public:
  Server(EventQueue* events, SimHost* host, const StreamBook* book, uint16_t port,
         uint32_t backlog);
  ~Server() override;
  void OnChanged(Time now) override;
  void Close(Time now);

  wire::IpEndpoint address() const { return {host_->address(), port_}; }
  bool stack_lost() const { return host_->incarnation() != incarnation_; }
  // The endpoint of the client with this name, or nullptr.
  Endpoint* Find(const wire::IpEndpoint& client) const;
  const std::map<wire::IpEndpoint, std::unique_ptr<Endpoint>>& endpoints() const {
    return endpoints_;
  }
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  EventQueue* const events_;
  SimHost* const host_;
  const uint32_t incarnation_;
  const StreamBook* const book_;
  const uint16_t port_;
  SocketId socket_ = 0;
  bool open_ = false;
  std::map<wire::IpEndpoint, std::unique_ptr<Endpoint>> endpoints_;
  std::vector<std::string> errors_;
};

}  // namespace netchannel::sim
