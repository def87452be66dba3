// SPDX-License-Identifier: Apache-2.0
//
// Streams between hosts of a network: opens them by plan, keeps both ends, and judges how they
// ended.
//
// What an end may see follows from what the two ends did, and from nothing else: where no one
// aborted, every byte arrived both ways and neither end has an error; where an end aborted, the
// other has a prefix, and ECONNRESET unless it was done before.
//
// Owner: the test. Destroyed before the network. Thread: one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/network.h"
#include "sim/sim_server.h"

namespace netchannel::sim {

inline constexpr uint16_t kServerPort = 80;

class Traffic {
 public:
  explicit Traffic(Network* network) : network_(network) {}

  // A server on `host`, for all streams to it; again after the host was started anew.
  void Serve(SimHost& host);
  // Opens a stream from `client` to the server on `host`.
  Endpoint& Open(SimHost& client, SimHost& host, const StreamPlan& plan);

  // Every opened stream has ended, at both ends.
  bool Done() const;
  // Closes listeners.
  void CloseServers();

  Endpoint& client(size_t stream) { return *streams_[stream].client; }
  Endpoint* server(size_t stream) const;
  size_t size() const { return streams_.size(); }

  // What was not lawful, one line each; empty when all was.
  std::vector<std::string> Judge() const;
  // Both ends of every stream that is not done, for a report of a run that did not end.
  std::string DescribeUnfinished() const;

 private:
  struct Stream {
    StreamPlan plan;
    SimHost* client_host;
    SimHost* server_host;
    std::unique_ptr<Endpoint> client;
  };
  struct ServerOnHost {
    SimHost* host;
    std::unique_ptr<Server> server;
  };

  void JudgeStream(size_t stream, std::vector<std::string>& wrong) const;
  // The host lost a stack after it began to serve.
  bool Disturbed(const SimHost* host) const;
  bool StreamDone(size_t stream) const;

  Network* const network_;
  StreamBook book_;
  std::vector<ServerOnHost> servers_;
  std::vector<Stream> streams_;
  mutable size_t done_until_ =
      0;  // streams below it were found done: Done() is asked after every event
};

}  // namespace netchannel::sim
