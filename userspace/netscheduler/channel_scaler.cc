// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/channel_scaler.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"

namespace netchannel {

absl::StatusOr<ChannelScaler> ChannelScaler::Create(const ChannelScalerConfig& config) {
  auto policy = MakeScalingPolicy(config.policy);
  if (policy != nullptr) return ChannelScaler(config, std::move(policy));
  std::string names;
  for (const std::string_view name : kScalingPolicies) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return absl::InvalidArgumentError("scaling.policy: no policy \"" + std::string(config.policy) +
                                    "\"; there are: " + names);
}

ChannelScaler::ChannelScaler(const ChannelScalerConfig& config,
                             std::unique_ptr<ScalingPolicy> policy)
    : config_(config), policy_(std::move(policy)) {
  if (policy_->name() == "fixed") next_look_ = Time::Infinite();
}

void ChannelScaler::Look(Time now, Driver& driver, absl::Span<const LaneLoad> lanes) {
  next_look_ = now + kPeriod;
  sessions_.clear();
  driver.SomeSessions(cursor_, kSessionsPerLook, sessions_);
  for (const SessionHandle session : sessions_) {
    for (const AppClass app_class : {AppClass::kThroughput, AppClass::kLatency}) {
      LookAt(now, driver, session, app_class, lanes);
    }
  }
}

ChannelScaler::SessionState& ChannelScaler::StateOf(SessionHandle session) {
  SessionState& state = states_[session.slot];
  if (state.generation != session.generation) {
    state = SessionState{.generation = session.generation, .classes = {}};
  }
  return state;
}

void ChannelScaler::LookAt(Time now, Driver& driver, SessionHandle session, AppClass app_class,
                           absl::Span<const LaneLoad> lanes) {
  const auto channels = driver.Channels(session);
  SessionState& state = StateOf(session);
  const auto place = static_cast<size_t>(app_class);
  const ScalingSample sample = SampleOf(channels, app_class, lanes, state.taken[place]);
  if (sample.open == 0 || sample.most <= sample.least) return;
  const ScalingStep step = policy_->Decide(sample, state.classes[place]);
  if (step == ScalingStep::kStay) return;
  const bool grow = step == ScalingStep::kGrow;
  const auto channel =
      grow ? ChannelToOpen(channels, app_class, lanes) : ChannelToClose(channels, app_class, lanes);
  if (!channel) return;
  const bool done =
      grow ? driver.OpenChannel(session, *channel) : driver.CloseChannel(session, *channel);
  if (!done) return;
  Note({.at = now,
        .session = session,
        .app_class = app_class,
        .channel = *channel,
        .opened = grow,
        .open = grow ? sample.open + 1 : sample.open - 1,
        .why = sample});
}

ScalingSample ChannelScaler::SampleOf(absl::Span<const ChannelInfo> channels, AppClass app_class,
                                      absl::Span<const LaneLoad> lanes,
                                      ByteCount& taken_before) const {
  ScalingSample sample{
      .open = 0, .least = config_.least, .most = 0, .backlog_limit = config_.backlog_limit};
  ByteCount taken = 0;
  for (const ChannelInfo& channel : channels) {
    if (channel.app_class != app_class || channel.failed) continue;
    sample.most += 1;
    taken += channel.taken;
    if (!channel.open) continue;
    sample.open += 1;
    sample.backlog += channel.backlog;
    if (channel.lane >= lanes.size()) continue;
    sample.cpu = std::max(sample.cpu, lanes[channel.lane].cpu);
    sample.queue = std::max(sample.queue, lanes[channel.lane].full);
  }
  // A channel that failed takes what it had taken with it.
  sample.taken = taken >= taken_before ? taken - taken_before : 0;
  taken_before = taken;
  return sample;
}

void ChannelScaler::Note(const Change& change) {
  ++changes_;
  log_.push_back(change);
  if (log_.size() > kLogEntries) log_.pop_front();
}

std::string Describe(const ChannelScaler::Change& change) {
  return absl::StrFormat(
      "%s channel %d of session %d %s, %d open: %d KiB wait, thread %.0f %% busy, queue %.0f %% "
      "full",
      change.app_class == AppClass::kLatency ? "latency" : "throughput", change.channel,
      change.session.slot, change.opened ? "opened" : "closed", change.open,
      change.why.backlog / 1024, 100 * change.why.cpu, 100 * change.why.queue);
}

}  // namespace netchannel
