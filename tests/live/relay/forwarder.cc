// SPDX-License-Identifier: Apache-2.0
#include "live/relay/forwarder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "sim/packet_headers.h"

namespace netchannel::relay {
namespace {

constexpr uint8_t kProtocolTcp = 6;

// UDP and TCP, of either version. Without neighbour discovery and its multicast groups nothing
// would be tested.
bool IsTouched(absl::Span<const std::byte> frame) {
  uint8_t protocol = 0;
  if (sim::IsIpv4(frame)) protocol = std::to_integer<uint8_t>(frame[sim::kEthernetSize + 9]);
  if (sim::IsIpv6(frame)) protocol = std::to_integer<uint8_t>(frame[sim::kEthernetSize + 6]);
  return protocol == sim::kProtocolUdp || protocol == kProtocolTcp;
}

}  // namespace

Forwarder::Forwarder(std::string name, RawPort* from, RawPort* to, const sim::Faults& faults,
                     Duration delay, uint64_t seed)
    : name_(std::move(name)), from_(from), to_(to), faults_(faults, seed), delay_(delay) {}

void Forwarder::OnReadable(Time now) {
  for (const auto& frame : from_->Receive()) OnFrame(now, frame);
}

void Forwarder::OnFrame(Time now, absl::Span<const std::byte> frame) {
  ++in_;
  if (!IsTouched(frame)) {
    ++untouched_;
    return Send(frame);
  }
  const sim::Fate fate = faults_.Decide(now);
  if (fate.replay) Send(old_.Choose(fate.dice));
  old_.Keep(frame);
  if (!fate.deliver) return;
  if (fate.copies > 1) SendLater(now, delay_ + fate.extra_delay[1], frame);
  if (fate.corrupt || fate.truncate) {
    misused_.assign(frame.begin(), frame.end());
    // The link header stays: a frame for another machine would be a lost one, which is counted
    // elsewhere.
    const auto packet = absl::MakeSpan(misused_).subspan(sim::kEthernetSize);
    if (fate.corrupt) sim::CorruptBytes(packet, fate.dice);
    if (fate.truncate) misused_.resize(sim::kEthernetSize + fate.dice % packet.size());
    frame = misused_;
  }
  SendLater(now, delay_ + fate.extra_delay[0], frame);
}

void Forwarder::SendLater(Time now, Duration late, absl::Span<const std::byte> frame) {
  if (late == Duration::Zero()) return Send(frame);
  late_.push({now + late, next_sequence_++, pool_.Copy(frame)});
}

void Forwarder::SendDue(Time now) {
  while (!late_.empty() && late_.top().at <= now) {
    const sim::Frame frame = std::move(late_.top().frame);
    late_.pop();
    Send(frame.bytes());
  }
}

void Forwarder::Send(absl::Span<const std::byte> frame) {
  if (frame.empty()) return;
  if (to_->Send(frame)) {
    ++out_;
  } else {
    ++refused_;
  }
}

std::string Forwarder::Counts() {
  overruns_ += from_->TakeOverruns();
  std::string text = absl::StrCat("{\"direction\": \"", name_, "\", \"in\": ", in_,
                                  ", \"out\": ", out_, ", \"untouched\": ", untouched_,
                                  ", \"refused\": ", refused_, ", \"overruns\": ", overruns_);
  for (size_t i = 0; i < static_cast<size_t>(sim::FaultKind::kCount); ++i) {
    const auto kind = static_cast<sim::FaultKind>(i);
    absl::StrAppend(&text, ", \"", sim::FaultName(kind), "\": ", faults_.count(kind));
  }
  return text + "}";
}

}  // namespace netchannel::relay
