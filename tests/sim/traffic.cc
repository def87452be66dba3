// SPDX-License-Identifier: Apache-2.0
#include "sim/traffic.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "sim/require.h"

namespace netchannel::sim {
namespace {

// `end` did not abort, and its peer did (`peer_aborted`) or did not.
void JudgeEnd(const Endpoint& end, ByteCount expected, bool peer_aborted,
              std::vector<std::string>& wrong) {
  if (!end.done() || end.aborted_itself()) return;
  if (end.error() != 0) {
    const bool lawful = peer_aborted && (end.error() == ECONNRESET || end.error() == EPIPE);
    if (!lawful) wrong.push_back(absl::StrCat(end.Describe(), ": unlawful error"));
    return;
  }
  if (end.read() != expected && end.saw_fin()) {
    wrong.push_back(absl::StrCat(end.Describe(), ": the stream ended early without an error"));
  }
}

}  // namespace

void Traffic::Serve(SimHost& host) {
  const auto backlog = host.options().max_sockets;
  servers_.push_back(
      {&host, std::make_unique<Server>(&network_->events(), &host, &book_, kServerPort, backlog)});
}

Endpoint& Traffic::Open(SimHost& client, SimHost& host, const StreamPlan& plan) {
  size_t index = 0;
  while (index < servers_.size() && servers_[index].host != &host) ++index;
  Require(index < servers_.size(), "a stream to a host without a server");
  streams_.push_back({plan, index,
                      std::make_unique<Endpoint>(&network_->events(), &client, plan,
                                                 servers_[index].server->address())});
  book_.Register(streams_.back().client->local(), streams_.back().client->peer(), plan);
  return *streams_.back().client;
}

Endpoint* Traffic::server(size_t stream) const {
  return servers_[streams_[stream].server].server->Find(streams_[stream].client->local());
}

bool Traffic::StreamDone(size_t stream) const {
  const Endpoint& client = *streams_[stream].client;
  if (!client.done()) return false;
  const Endpoint* end = server(stream);
  // A client that closed before it was accepted may never be seen by the server.
  const bool may_be_unseen = client.aborted_itself() || client.error() != 0;
  return end == nullptr ? may_be_unseen : end->done();
}

bool Traffic::Done() const {
  while (done_until_ < streams_.size() && StreamDone(done_until_)) ++done_until_;
  if (done_until_ < streams_.size()) return false;
  // A server may have seen a client after all, since its stream was found done.
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (!StreamDone(i)) return false;
  }
  return true;
}

void Traffic::CloseServers() {
  for (auto& one : servers_) one.server->Close(network_->now());
}

void Traffic::JudgeStream(const StreamPlan& plan, const Endpoint& client, const Endpoint* server,
                          std::vector<std::string>& wrong) {
  for (const std::string& error : client.errors()) wrong.push_back(error);
  if (server == nullptr) {
    if (!client.aborted_itself()) wrong.push_back(client.Describe() + ": never accepted");
    return;
  }
  for (const std::string& error : server->errors()) wrong.push_back(error);
  JudgeEnd(client, plan.to_client, server->aborted_itself(), wrong);
  JudgeEnd(*server, plan.to_server, client.aborted_itself(), wrong);
  const bool orderly = !client.aborted_itself() && !server->aborted_itself();
  if (orderly && server->read() != plan.to_server) {
    wrong.push_back(absl::StrCat(server->Describe(), ": lost bytes"));
  }
  if (orderly && client.read() != plan.to_client) {
    wrong.push_back(absl::StrCat(client.Describe(), ": lost bytes"));
  }
}

std::vector<std::string> Traffic::Judge() const {
  std::vector<std::string> wrong;
  for (const auto& one : servers_) {
    for (const std::string& error : one.server->errors()) wrong.push_back(error);
  }
  for (size_t i = 0; i < streams_.size(); ++i) {
    JudgeStream(streams_[i].plan, *streams_[i].client, server(i), wrong);
  }
  return wrong;
}

std::string Traffic::DescribeUnfinished() const {
  std::string text;
  for (size_t i = 0; i < streams_.size(); ++i) {
    const Endpoint* end = server(i);
    if (streams_[i].client->done() && end != nullptr && end->done()) continue;
    absl::StrAppend(&text, "  stream ", i, ": ", streams_[i].client->Describe(), "\n");
    absl::StrAppend(&text, "    and ", end == nullptr ? "not accepted" : end->Describe(), "\n");
  }
  return text;
}

}  // namespace netchannel::sim
