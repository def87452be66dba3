// SPDX-License-Identifier: Apache-2.0
#include "netdriver/transmitter.h"

#include <algorithm>

namespace netchannel {

Transmitter::Transmitter(LaneSet* lanes, StreamTable* streams, NextHops* hops,
                         ActiveChannels* active, Handshaker* handshaker, SessionLife* life)
    : lanes_(lanes),
      streams_(streams),
      hops_(hops),
      active_(active),
      handshaker_(handshaker),
      life_(life) {}

size_t Transmitter::Poll(Time now, size_t budget) {
  lanes_->BeginPoll();
  size_t sent = handshaker_->Transmit(now, budget);
  const bool throughput_waits = !active_->of(AppClass::kThroughput).empty();
  const size_t kept_back = throughput_waits ? (budget - sent) / 4 : 0;
  sent += ServeClass(now, AppClass::kLatency, budget - sent - kept_back);
  if (throughput_waits) {
    lanes_->FlushAll();
    sent += ServeClass(now, AppClass::kThroughput, budget - sent);
    // What the throughput class did not need.
    if (sent < budget) sent += ServeClass(now, AppClass::kLatency, budget - sent);
  }
  lanes_->FlushAll();
  has_work_ = sent == budget && (!active_->empty() || handshaker_->wants_to_send());
  const bool held_up = lanes_->needs_poll() || !active_->empty() || handshaker_->wants_to_send();
  retry_time_ = held_up ? now + kRetry : Time::Infinite();
  return sent;
}

size_t Transmitter::ServeClass(Time now, AppClass app_class, size_t budget) {
  auto& list = active_->of(app_class);
  size_t sent = 0;
  size_t blocked_in_a_row = 0;
  while (!list.empty() && sent < budget && blocked_in_a_row < list.size()) {
    PacketChannel& channel = *list.front();
    bool blocked = false;
    const size_t n = ServeChannel(now, channel, std::min(kTurn, budget - sent), &blocked);
    sent += n;
    blocked_in_a_row = blocked ? blocked_in_a_row + 1 : 0;
  }
  return sent;
}

size_t Transmitter::ServeChannel(Time now, PacketChannel& channel, size_t budget, bool* blocked) {
  Session& session = channel.session();
  session.path.Refresh(*hops_, session.peer.address);
  if (!session.orphans.empty()) life_->PlaceOrphans(now, session);
  size_t sent = 0;
  TransmitResult result = TransmitResult::kSent;
  while (sent < budget) {
    result = channel.TransmitOne(now, *lanes_, *streams_);
    if (result != TransmitResult::kSent) break;
    ++sent;
  }
  if (result == TransmitResult::kNothing) {
    active_->Remove(channel);
    life_->RearmChannel(channel, Time());
  } else {
    active_->of(channel.app_class()).MoveToBack(channel);
    // A device that never comes back must not keep the transport from noticing.
    if (result == TransmitResult::kBlocked) life_->RearmChannel(channel, now + kBlockedCheck);
  }
  *blocked = result == TransmitResult::kBlocked;
  return sent;
}

}  // namespace netchannel
