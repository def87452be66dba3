// SPDX-License-Identifier: Apache-2.0
#include "sim/network.h"

#include "absl/strings/str_cat.h"
#include "sim/require.h"

namespace netchannel::sim {

SimHost& Network::AddHost(const HostOptions& options) {
  const auto number = static_cast<uint32_t>(hosts_.size() + 1);
  hosts_.push_back(
      std::make_unique<SimHost>(&events_, &trace_, &frames_, number, ipv6_, options, rng_.Next()));
  return *hosts_.back();
}

Link* Network::AddLink(const LinkConfig& config, FrameSink* out) {
  links_.push_back(
      std::make_unique<Link>(&events_, &trace_, &frames_, links_.size(), config, rng_.Next(), out));
  return links_.back().get();
}

void Network::IntroduceHosts() {
  for (const auto& one : hosts_) {
    for (const auto& other : hosts_) {
      if (one != other) one->hops().Add(other->address(), other->mac());
    }
  }
}

void Network::Join(const LinkConfig& to_second, const LinkConfig& to_first) {
  Require(hosts_.size() == 2, "Join is for two hosts");
  hosts_[0]->set_wire(AddLink(to_second, hosts_[1].get()));
  hosts_[1]->set_wire(AddLink(to_first, hosts_[0].get()));
  IntroduceHosts();
}

void Network::JoinByStar(const LinkConfig& up, const LinkConfig& down) {
  for (const auto& host : hosts_) {
    host->set_wire(AddLink(up, &switch_));
    switch_.Connect(host->mac(), AddLink(down, host.get()));
  }
  IntroduceHosts();
}

void Network::StartAll() {
  for (const auto& host : hosts_) host->Start();
}

bool Network::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Time deadline = now() + limit;
  while (!done()) {
    if (!events_.RunOne(deadline)) return done();
  }
  return true;
}

std::string Network::Describe() {
  std::string text = absl::StrCat("at ", (now() - Time::FromNanos(0)).seconds(), " s, ",
                                  events_.events_run(), " events\n");
  for (const auto& host : hosts_) {
    absl::StrAppend(&text, "  host ", host->address().ToString(), ": received ",
                    host->nic().received, ", lane full ", host->nic().rx_full, ", not ours ",
                    host->nic().not_ours);
    if (host->running()) {
      absl::StrAppend(&text, ", refused ", host->drops(), ", buffers ", host->buffers().in_use());
    }
    absl::StrAppend(&text, "\n");
    if (host->running() && hosts_.size() <= 4) text += host->Describe();
  }
  for (size_t i = 0; i < links_.size() && i < 4; ++i) {
    const LinkStats& stats = links_[i]->stats();
    absl::StrAppend(&text, "  link ", i, ": in ", stats.frames_in, " out ", stats.frames_out,
                    " bytes ", stats.bytes_out, " queue max ", stats.queue_max, "; dropped: queue ",
                    stats.queue_drops, " mtu ", stats.mtu_drops, " down ", stats.down_drops,
                    "; marked ", stats.ce_marks, ";");
    for (size_t kind = 0; kind < static_cast<size_t>(FaultKind::kCount); ++kind) {
      const auto fault = static_cast<FaultKind>(kind);
      absl::StrAppend(&text, " ", FaultName(fault), " ", links_[i]->faults().count(fault));
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace netchannel::sim
