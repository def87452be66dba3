// SPDX-License-Identifier: Apache-2.0
#include "sim/traffic.h"

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace netchannel::sim {
namespace {

struct Circumstances {
  bool peer_aborted = false;
  bool stack_lost = false;  // at one end or the other
};

bool IsLawful(int error, const Circumstances& c) {
  switch (error) {
    case ECONNRESET:
    case EPIPE:
      return c.peer_aborted || c.stack_lost;
    case ETIMEDOUT:
    case ECONNREFUSED:
      return c.stack_lost;
    default:
      return false;
  }
}

void JudgeEnd(const Endpoint& end, ByteCount expected, const Circumstances& c,
              std::vector<std::string>& wrong) {
  for (const std::string& error : end.errors()) wrong.push_back(error);
  if (!end.done() || end.died() || end.aborted_itself()) return;
  if (end.error() != 0) {
    if (!IsLawful(end.error(), c)) wrong.push_back(end.Describe() + ": unlawful error");
    return;
  }
  if (end.read() == expected) return;
  if (end.saw_fin()) wrong.push_back(end.Describe() + ": the stream ended early without an error");
  if (!c.peer_aborted && !c.stack_lost) wrong.push_back(end.Describe() + ": lost bytes");
}

}  // namespace

void Traffic::Serve(SimHost& host) {
  const auto backlog = host.options().max_sockets;
  servers_.push_back(
      {&host, std::make_unique<Server>(&network_->events(), &host, &book_, kServerPort, backlog)});
}

Endpoint& Traffic::Open(SimHost& client, SimHost& host, const StreamPlan& plan) {
  const wire::IpEndpoint server = {host.address(), kServerPort};
  // The first stream of a host leaves its port to the stack. The others have their own: the stack
  // may choose one again whose streams are still judged.
  const bool first = std::none_of(streams_.begin(), streams_.end(),
                                  [&](const Stream& one) { return one.client_host == &client; });
  const auto port = static_cast<uint16_t>(first ? 0 : 1024 + streams_.size());
  streams_.push_back(
      {plan, &client, &host,
       std::make_unique<Endpoint>(&network_->events(), &client, plan, server, port)});
  book_.Register(streams_.back().client->local(), server, plan);
  return *streams_.back().client;
}

Endpoint* Traffic::server(size_t stream) const {
  for (auto one = servers_.rbegin(); one != servers_.rend(); ++one) {
    if (one->host != streams_[stream].server_host) continue;
    if (Endpoint* end = one->server->Find(streams_[stream].client->local())) return end;
  }
  return nullptr;
}

bool Traffic::Disturbed(const SimHost* host) const {
  return std::any_of(servers_.begin(), servers_.end(), [&](const ServerOnHost& one) {
    return one.host == host && one.server->stack_lost();
  });
}

bool Traffic::StreamDone(size_t stream) const {
  const Endpoint& client = *streams_[stream].client;
  if (!client.done()) return false;
  const Endpoint* end = server(stream);
  // A client that closed before it was accepted may never be seen by the server.
  const bool may_be_unseen = client.aborted_itself() || client.error() != 0 || client.died();
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

void Traffic::JudgeStream(size_t stream, std::vector<std::string>& wrong) const {
  const Stream& s = streams_[stream];
  const Endpoint* end = server(stream);
  const bool lost = Disturbed(s.client_host) || Disturbed(s.server_host);
  const bool aborted_by_server = end != nullptr && end->aborted_itself();
  JudgeEnd(*s.client, s.plan.to_client, {aborted_by_server, lost}, wrong);
  if (end != nullptr) {
    JudgeEnd(*end, s.plan.to_server, {s.client->aborted_itself(), lost}, wrong);
  } else if (!s.client->aborted_itself() && !lost) {
    wrong.push_back(s.client->Describe() + ": never accepted");
  }
}

std::vector<std::string> Traffic::Judge() const {
  std::vector<std::string> wrong;
  for (const auto& one : servers_) {
    for (const std::string& error : one.server->errors()) wrong.push_back(error);
  }
  for (size_t i = 0; i < streams_.size(); ++i) {
    JudgeStream(i, wrong);
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
