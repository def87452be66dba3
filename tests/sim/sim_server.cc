// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_server.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sim/require.h"

namespace netchannel::sim {

Server::Server(EventQueue* events, SimHost* host, const StreamBook* book, uint16_t port,
               uint32_t backlog)
    : events_(events), host_(host), incarnation_(host->incarnation()), book_(book), port_(port) {
  const SocketLayer::Created created = host->sockets().Create(1);
  Require(created.error == 0, "no socket for a listener");
  socket_ = created.socket;
  open_ = true;
  Require(host->sockets().Bind(socket_, {host->address(), port}) == 0, "a listener cannot bind");
  Require(host->sockets().Listen(socket_, backlog) == 0, "a listener cannot listen");
  host->SetUser(socket_, this);
}

Server::~Server() {
  if (open_ && !stack_lost()) host_->SetUser(socket_, nullptr);
}

void Server::OnChanged(Time now) {
  while (true) {
    const SocketLayer::Created accepted = host_->sockets().Accept(socket_);
    if (accepted.error == EAGAIN) return;
    if (accepted.error != 0) {
      errors_.push_back(absl::StrCat("accept failed: ", strerror(accepted.error)));
      return;
    }
    const wire::IpEndpoint client = host_->sockets().View(accepted.socket)->peer;
    const StreamPlan* plan = book_->Find(client, address());
    if (plan == nullptr || endpoints_.contains(client)) {
      errors_.push_back(absl::StrCat("a connection from ", client.ToString(),
                                     plan == nullptr ? " that no one made" : " came twice"));
      host_->sockets().Close(now, accepted.socket);
      continue;
    }
    endpoints_[client] = std::make_unique<Endpoint>(events_, host_, *plan, accepted);
  }
}

Endpoint* Server::Find(const wire::IpEndpoint& client) const {
  const auto it = endpoints_.find(client);
  return it == endpoints_.end() ? nullptr : it->second.get();
}

void Server::Close(Time now) {
  if (!std::exchange(open_, false) || stack_lost()) return;
  host_->SetUser(socket_, nullptr);
  host_->sockets().Close(now, socket_);
  host_->Kick();
}

}  // namespace netchannel::sim
