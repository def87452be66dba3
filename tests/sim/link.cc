// SPDX-License-Identifier: Apache-2.0
#include "sim/link.h"

#include <algorithm>

#include "sim/packet_headers.h"

namespace netchannel::sim {

Link::Link(EventQueue* events, Trace* trace, FramePool* pool, uint64_t id, const LinkConfig& config,
           uint64_t seed, FrameSink* out)
    : Actor(events),
      trace_(trace),
      pool_(pool),
      id_(id),
      config_(config),
      faults_(config.faults, seed),
      out_(out) {}

ByteCount Link::queued() const {
  if (idle_at_ <= now()) return 0;
  return static_cast<ByteCount>((idle_at_ - now()).seconds() *
                                static_cast<double>(config_.rate.bytes_per_second()));
}

bool Link::Enqueue(Frame& frame) {
  if (frame.size() > config_.mtu + kEthernetSize) {
    ++stats_.mtu_drops;
    return false;
  }
  const ByteCount queue = queued();
  if (queue + frame.size() > config_.queue_limit) {
    ++stats_.queue_drops;
    return false;
  }
  if (config_.ecn_threshold != 0 && queue > config_.ecn_threshold && MarkCe(frame.bytes())) {
    ++stats_.ce_marks;
  }
  stats_.queue_max = std::max(stats_.queue_max, queue + frame.size());
  idle_at_ = std::max(idle_at_, now()) + config_.rate.TimeFor(frame.size());
  return true;
}

void Link::OnFrame(Frame frame) {
  ++stats_.frames_in;
  trace_->AddFrame(now(), "frame", id_, frame.bytes());
  if (now() < down_until_) {
    ++stats_.down_drops;
    return;
  }
  if (!Enqueue(frame)) return;
  const Fate fate = faults_.Decide(now());
  const Time arrival = idle_at_ + config_.delay;
  if (config_.faults.replay > 0) {
    if (fate.replay) Deliver(arrival, pool_->Copy(old_.Choose(fate.dice)));
    old_.Keep(frame.bytes());
  }
  if (!fate.deliver) return;
  // The copy is taken first: it is what a replay of the intact packet would be.
  if (fate.copies > 1) Deliver(arrival + fate.extra_delay[1], pool_->Copy(frame.bytes()));
  Misuse(fate, frame);
  Deliver(arrival + fate.extra_delay[0], std::move(frame));
}

void Link::Misuse(const Fate& fate, Frame& frame) {
  if (fate.corrupt) CorruptBytes(frame.bytes(), fate.dice);
  if (fate.truncate) frame.Truncate(fate.dice % frame.size());
}

void Link::Deliver(Time at, Frame frame) {
  under_way_.push({at, next_sequence_++, std::move(frame)});
  WakeAt(at);
}

void Link::OnWake(Time now) {
  while (!under_way_.empty() && under_way_.top().at <= now) {
    Frame frame = std::move(under_way_.top().frame);
    under_way_.pop();
    ++stats_.frames_out;
    stats_.bytes_out += frame.size();
    out_->OnFrame(std::move(frame));
  }
  if (!under_way_.empty()) WakeAt(under_way_.top().at);
}

}  // namespace netchannel::sim
