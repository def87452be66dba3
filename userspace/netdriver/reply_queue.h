// SPDX-License-Identifier: Apache-2.0
//
// Small packets that answer one which just came: COOKIE, ACCEPT, REJECT, STALE. They go back the
// way it came, by its link addresses turned round, so that answering a stranger needs neither state
// nor a neighbour's resolution.
//
// A ring of fixed slots: a flood of strangers costs its answers, nothing else. Thread: the one that
// runs the driver. Errors: Add gives nullptr when it is full.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "netdriver/lane_set.h"
#include "netdriver/next_hops.h"
#include "wire/address.h"
#include "wire/handshake.h"

namespace netchannel {

// Where an answer goes.
struct ReturnPath {
  uint32_t lane = 0;
  LinkHeader link;
  wire::IpEndpoint local;  // what the packet was sent to, hence what answers
  wire::IpEndpoint remote;
};

// Turns a received frame's link header round. `size` is its length, at least an Ethernet header.
LinkHeader ReverseLinkHeader(wire::Bytes frame, size_t size);

struct Reply {
  ReturnPath to;
  uint32_t length = 0;
  std::array<std::byte, 256> packet;
};

class ReplyQueue {
 public:
  static constexpr size_t kCapacity = 128;

  ReplyQueue() : ring_(kCapacity) {}

  bool empty() const { return head_ == tail_; }

  // A slot to fill (`packet` and `length`); it is sent by the next Send.
  Reply* Add(const ReturnPath& to) {
    if (tail_ - head_ == kCapacity) return nullptr;
    Reply& reply = ring_[tail_++ % kCapacity];
    reply.to = to;
    reply.length = 0;
    return &reply;
  }

  // Sends at most `budget`; returns how many. What finds its lane blocked waits.
  size_t Send(LaneSet& lanes, size_t budget);

 private:
  std::vector<Reply> ring_;
  size_t head_ = 0, tail_ = 0;  // count on forever
};

// Puts headers in front of `packet`, both into the lane's buffer, and submits it. False when the
// lane is blocked. Precondition: the packet fits (it is at most wire::kMinPacketSize bytes).
bool SendPacket(LaneSet& lanes, const ReturnPath& to, wire::Bytes packet);

}  // namespace netchannel
