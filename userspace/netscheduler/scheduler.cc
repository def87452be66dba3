// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/scheduler.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <deque>
#include <string>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "netscheduler/channel_policy.h"
#include "netscheduler/deficit_round_robin.h"
#include "netscheduler/flow.h"
#include "netscheduler/rate_limit.h"

namespace netchannel {
namespace {

// Served in this order.
constexpr std::array<AppClass, kAppClasses> kServiceOrder = {AppClass::kLatency,
                                                             AppClass::kThroughput};

using GroupKey = std::tuple<uint32_t, uint32_t, uint8_t>;  // session slot, generation, class

GroupKey KeyOf(SessionHandle session, AppClass app_class) {
  return {session.slot, session.generation, static_cast<uint8_t>(app_class)};
}

// Open channels that a flow of `app_class` may use: those of its class; of any class when there
// are none.
struct Masks {
  ChannelMask candidates = 0;
  ChannelMask with_room = 0;
};
Masks MasksOf(absl::Span<const ChannelInfo> channels, AppClass app_class) {
  Masks own, any;
  const size_t count = std::min(channels.size(), kMaxSchedulableChannels);
  for (size_t i = 0; i < count; ++i) {
    if (!channels[i].open) continue;
    const ChannelMask bit = ChannelMask{1} << i;
    const ChannelMask room = channels[i].capacity > 0 ? bit : 0;
    any.candidates |= bit;
    any.with_room |= room;
    if (channels[i].app_class != app_class) continue;
    own.candidates |= bit;
    own.with_room |= room;
  }
  return own.candidates != 0 ? own : any;
}

absl::Status UnknownPolicy(std::string_view name) {
  return absl::InvalidArgumentError("scheduler: no channel policy \"" + std::string(name) +
                                    "\"; there are: " + ChannelPolicyNames());
}

}  // namespace

struct Scheduler::Impl {
  Impl(const SchedulerConfig& config, std::unique_ptr<ChannelPolicy> p)
      : max_flows(config.max_flows),
        policy(std::move(p)),
        rings{DeficitRoundRobin(config.quantum), DeficitRoundRobin(config.quantum)} {}

  DeficitRoundRobin& RingOf(const FlowGroup& group) {
    return rings[static_cast<size_t>(group.app_class)];
  }
  Flow& FlowOf(FlowId id) {
    assert(id < flows.size() && flows[id].group != nullptr);
    return flows[id];
  }
  FlowGroup& Join(SessionHandle session, AppClass app_class);
  void Leave(FlowGroup& group);
  std::optional<Grant> NextOf(AppClass app_class, SessionPort& port);
  std::optional<Grant> NextOf(FlowGroup& group, SessionPort& port);

  uint32_t max_flows;
  std::unique_ptr<ChannelPolicy> policy;
  std::deque<Flow> flows;  // by FlowId; grows to the highest in use
  absl::flat_hash_map<GroupKey, std::unique_ptr<FlowGroup>> groups;
  // By AppClass's number. Behind the groups that they link: destroyed before them.
  std::array<DeficitRoundRobin, kAppClasses> rings;
  std::array<RateLimit, kAppClasses> rates;
  Time now;  // of the round
};

FlowGroup& Scheduler::Impl::Join(SessionHandle session, AppClass app_class) {
  std::unique_ptr<FlowGroup>& group = groups[KeyOf(session, app_class)];
  if (group == nullptr) {
    group = std::make_unique<FlowGroup>();
    group->session = session;
    group->app_class = app_class;
  }
  group->flows += 1;
  return *group;
}

void Scheduler::Impl::Leave(FlowGroup& group) {
  group.flows -= 1;
  if (group.flows > 0) return;
  RingOf(group).Forget(group);
  groups.erase(KeyOf(group.session, group.app_class));
}

std::optional<Grant> Scheduler::Impl::NextOf(AppClass app_class, SessionPort& port) {
  DeficitRoundRobin& ring = rings[static_cast<size_t>(app_class)];
  if (!rates[static_cast<size_t>(app_class)].MaySend(now)) return std::nullopt;
  while (FlowGroup* group = ring.Front()) {
    if (auto grant = NextOf(*group, port)) return grant;
  }
  return std::nullopt;
}

// nullopt when the group was set aside.
std::optional<Grant> Scheduler::Impl::NextOf(FlowGroup& group, SessionPort& port) {
  DeficitRoundRobin& ring = RingOf(group);
  const auto channels = port.Channels(group.session);
  const Masks masks = MasksOf(channels, group.app_class);
  if (masks.with_room == 0) {
    ring.Block(group);
    return std::nullopt;
  }
  while (Flow* flow = ring.FrontFlow(group)) {
    const ChannelChoice choice{flow->id, flow->source_port, channels, masks.candidates,
                               masks.with_room};
    const auto position = policy->Choose(choice, group.cursor);
    if (!position.has_value()) {
      ring.Park(*flow);
      continue;
    }
    const ChannelInfo& channel = channels[*position];
    return Grant{flow->id, group.session, channel.index,
                 std::min({flow->ready, flow->deficit, channel.capacity})};
  }
  return std::nullopt;
}

absl::StatusOr<std::unique_ptr<Scheduler>> Scheduler::Create(const SchedulerConfig& config) {
  auto policy = MakeChannelPolicy(config.policy);
  if (policy == nullptr) return UnknownPolicy(config.policy);
  if (config.quantum == 0) {
    return absl::InvalidArgumentError(
        "scheduler: a quantum of 0 bytes; use at least a packet's size");
  }
  return std::unique_ptr<Scheduler>(
      new Scheduler(std::make_unique<Impl>(config, std::move(policy))));
}

Scheduler::Scheduler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Scheduler::~Scheduler() = default;

void Scheduler::AddFlow(FlowId id, SessionHandle session, const FlowTraits& traits) {
  assert(id < impl_->max_flows);
  while (impl_->flows.size() <= id) {
    const auto next = static_cast<uint32_t>(impl_->flows.size());
    impl_->flows.emplace_back().id = next;
  }
  Flow& flow = impl_->flows[id];
  assert(flow.group == nullptr);
  flow.source_port = traits.source_port;
  flow.group = &impl_->Join(session, traits.app_class);
  SetWeight(id, traits.weight);
}

void Scheduler::RemoveFlow(FlowId id) {
  SetIdle(id);
  Flow& flow = impl_->FlowOf(id);
  impl_->Leave(*std::exchange(flow.group, nullptr));
}

void Scheduler::SetReady(FlowId id, ByteCount bytes, bool fin) {
  Flow& flow = impl_->FlowOf(id);
  flow.ready = bytes;
  flow.fin = fin;
  DeficitRoundRobin& ring = impl_->RingOf(*flow.group);
  flow.HasWork() ? ring.Activate(flow) : ring.Deactivate(flow);
}

void Scheduler::SetIdle(FlowId id) { SetReady(id, 0, false); }

void Scheduler::SetClass(FlowId id, AppClass app_class) {
  Flow& flow = impl_->FlowOf(id);
  FlowGroup& from = *flow.group;
  if (from.app_class == app_class) return;
  impl_->RingOf(from).Deactivate(flow);
  flow.group = &impl_->Join(from.session, app_class);
  impl_->Leave(from);
  SetReady(id, flow.ready, flow.fin);
}

void Scheduler::SetWeight(FlowId id, uint32_t weight) {
  impl_->FlowOf(id).weight = std::clamp(weight, 1u, kMaxFlowWeight);
}

void Scheduler::BeginRound(Time now) {
  impl_->now = now;
  for (DeficitRoundRobin& ring : impl_->rings) ring.Unblock();
}

std::optional<Grant> Scheduler::Next(SessionPort& port) {
  for (const AppClass app_class : kServiceOrder) {
    if (auto grant = impl_->NextOf(app_class, port)) return grant;
  }
  return std::nullopt;
}

void Scheduler::OnSent(const Grant& grant, ByteCount used, ByteCount remaining,
                       bool fin_remaining) {
  Flow& flow = impl_->FlowOf(grant.flow);
  flow.ready = remaining;
  flow.fin = fin_remaining;
  DeficitRoundRobin& ring = impl_->RingOf(*flow.group);
  impl_->rates[static_cast<size_t>(flow.group->app_class)].Charge(impl_->now, used);
  ring.Charge(flow, used);
  const bool refused = used == 0 && flow.HasWork();
  if (refused) ring.Park(flow);
}

void Scheduler::SetRate(AppClass app_class, Bandwidth rate) {
  impl_->rates[static_cast<size_t>(app_class)].Set(rate);
}

Bandwidth Scheduler::rate(AppClass app_class) const {
  return impl_->rates[static_cast<size_t>(app_class)].rate();
}

Time Scheduler::NextTimeout() const {
  Time next = Time::Infinite();
  for (size_t i = 0; i < impl_->rings.size(); ++i) {
    const RateLimit& rate = impl_->rates[i];
    const bool held_back = impl_->rings[i].Front() != nullptr && !rate.MaySend(impl_->now);
    if (held_back) next = std::min(next, rate.ready_at());
  }
  return next;
}

absl::Status Scheduler::SetPolicy(std::string_view name) {
  auto policy = MakeChannelPolicy(name);
  if (policy == nullptr) return UnknownPolicy(name);
  impl_->policy = std::move(policy);
  for (auto& [key, group] : impl_->groups) group->cursor = ChannelCursor{};
  return absl::OkStatus();
}

std::string_view Scheduler::policy() const { return impl_->policy->name(); }

}  // namespace netchannel
