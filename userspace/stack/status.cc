// SPDX-License-Identifier: Apache-2.0
#include "stack/status.h"

#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/container/flat_hash_map.h"
#include "ipc/futex.h"
#include "netdriver/drop_reason.h"
#include "netdriver/status.h"
#include "stack/steering_rules.h"
#include "vns/status.h"

namespace netchannel {

namespace {

using Json = nlohmann::ordered_json;

// Of sessions and of sockets in one document; the counters have the totals.
constexpr size_t kMaxRows = 10000;

const char* ClassName(AppClass app_class) {
  return app_class == AppClass::kLatency ? "latency" : "throughput";
}

Json StackPart(const Config& config, const LiveInterface& interface) {
  Json own = Json::array();
  for (const wire::IpAddress& address : interface.addresses()) own.push_back(address.ToString());
  return {{"pid", getpid()},
          {"interface", config.interface},
          {"transport", interface.transport() == Transport::kTcp ? "tcp" : "xdp"},
          {"transport_why", interface.transport_why()},
          {"addresses", own},
          {"port", config.port},
          {"policy", config.policy}};
}

Json ThreadPart(const ThreadPriority::Status& thread) {
  return {{"scheduling", SchedulingName(thread.scheduling)},
          {"priority", thread.priority},
          {"why", thread.why},
          {"budgets_spent", thread.budgets_spent}};
}

Json DevicePart(const XdpDevice& device) {
  const XdpDeviceStatus status = device.status();
  return {{"driver", status.interface.driver},
          {"mtu", status.interface.mtu},
          {"rx_queues", status.interface.rx_queues},
          {"uncovered_queues", status.uncovered_queues},
          {"attached", status.attachment.mode == NC_ATTACH_GENERIC ? "generic" : "native"},
          {"attached_by", status.attachment.owner == NC_OWNER_DISPATCHER ? "dispatcher" : "alone"},
          {"attached_why", std::string(status.attachment.reason)},
          {"mode", status.mode.zero_copy ? "zero-copy" : "copy"},
          {"mode_why", status.mode.reason},
          {"multi_buffer", status.mode.multi_buffer},
          {"umem_bytes", status.budget.bytes()},
          {"rebuilds", status.rebuilds},
          {"rebuild_failure", status.rebuild_failure}};
}

Json SteeringPart(Time now, const Scheduler& scheduler, const Driver& driver,
                  const Steering& steering) {
  Json recent = Json::array();
  for (const SteeringLog::Entry& entry : steering.log().entries()) {
    recent.push_back({{"seconds_ago", (now - entry.at).nanos() / 1'000'000'000},
                      {"outcome", entry.refused ? "refused" : "in-force"},
                      {"what", entry.what}});
  }
  Json peers = Json::array();
  for (const PeerRule& rule : driver.peer_rules().rules()) {
    if (peers.size() == kMaxRows) break;
    peers.push_back({{"prefix", PrefixText(ToMapKey(rule.prefix))},
                     {"action", rule.deny ? "deny" : "allow"},
                     {"class", rule.app_class ? ClassName(*rule.app_class) : "unset"},
                     {"weight", rule.weight}});
  }
  return {{"channel_policy", std::string(scheduler.policy())},
          {"rate_throughput", scheduler.rate(AppClass::kThroughput).bytes_per_second()},
          {"rate_latency", scheduler.rate(AppClass::kLatency).bytes_per_second()},
          {"deny_unknown_peers", steering.knob(NC_KNOB_DENY_UNKNOWN_PEERS) == 1},
          {"generation", steering.knob(NC_KNOB_GENERATION)},
          {"changes", steering.log().changes()},
          {"refused", steering.log().refused()},
          {"peers", peers},
          {"recent", recent}};
}

Json ScalingPart(Time now, const ChannelScaler& scaler) {
  Json recent = Json::array();
  for (const ChannelScaler::Change& change : scaler.log()) {
    recent.push_back({{"seconds_ago", (now - change.at).nanos() / 1'000'000'000},
                      {"session", change.session.slot},
                      {"class", ClassName(change.app_class)},
                      {"channel", change.channel},
                      {"outcome", change.opened ? "opened" : "closed"},
                      {"open", change.open},
                      {"backlog_bytes", change.why.backlog},
                      {"thread_busy_percent", std::lround(100 * change.why.cpu)},
                      {"queue_full_percent", std::lround(100 * change.why.queue)}});
  }
  return {
      {"policy", std::string(scaler.policy())}, {"changes", scaler.changes()}, {"recent", recent}};
}

Json ChannelThreadPart(const XdpDevice& device) {
  Json threads = Json::array();
  for (const auto& thread : device.channel_threads()) {
    const auto cpu = thread->cpu();
    threads.push_back({{"tid", thread->tid()},
                       {"cpu", cpu ? Json(*cpu) : Json("any")},
                       {"cpu_time_us", thread->cpu_time().micros()}});
  }
  return threads;
}

Json LanePart(const XdpDevice& device, const Driver& driver, const Steering& steering) {
  Json lanes = Json::array();
  for (const auto& lane : device.xdp_lanes()) {
    const LaneStats stats = lane->ReadStats();
    lanes.push_back({{"lane", lane->info().index},
                     {"queue", lane->info().queue},
                     {"class", ClassName(driver.LaneClass(lane->info().index))},
                     {"port", lane->udp_port()},
                     {"via_lane", driver.LaneVia(lane->info().index)},
                     {"action", ActionText(steering.lane(lane->info().index).lane.action)},
                     {"rx_packets", stats.rx_packets},
                     {"rx_bytes", stats.rx_bytes},
                     {"tx_packets", stats.tx_packets},
                     {"tx_bytes", stats.tx_bytes},
                     {"handed_over", stats.handed_over},
                     {"rx_too_long", stats.rx_too_long},
                     {"tx_kicks", stats.tx_kicks},
                     {"tx_again", stats.tx_again},
                     {"tx_dropped", stats.tx_dropped},
                     {"tx_errors", stats.tx_errors},
                     {"rx_dropped", stats.rx_dropped},
                     {"rx_ring_full", stats.rx_ring_full},
                     {"rx_fill_ring_empty", stats.rx_fill_ring_empty_descs}});
  }
  return lanes;
}

Json VerdictPart(const XdpDevice& device) {
  Json verdicts = Json::object();
  const absl::StatusOr<xdp::VerdictCounters> counters = device.ReadVerdicts();
  if (!counters.ok()) return std::string(counters.status().message());
  for (size_t i = 0; i < counters->size(); ++i) {
    verdicts[nc_verdict_name(static_cast<nc_verdict>(i))] = (*counters)[i];
  }
  return verdicts;
}

Json DropPart(const Host& host) {
  Json drops = Json::object();
  for (size_t i = 0; i < static_cast<size_t>(DropReason::kCount); ++i) {
    const auto reason = static_cast<DropReason>(i);
    drops[std::string(DropReasonName(reason))] = host.driver().drops(reason);
  }
  return drops;
}

Json ChannelPart(const ChannelStatus& channel) {
  return {{"channel", channel.index},
          {"class", ClassName(channel.app_class)},
          {"lane", channel.lane},
          {"peer_port", channel.peer_port},
          {"state", channel.state},
          {"backlog_bytes", channel.backlog},
          {"in_flight_bytes", channel.bytes_in_flight},
          {"cwnd_bytes", channel.congestion_window},
          {"packet_bytes", channel.packet_size},
          {"srtt_us", channel.smoothed_rtt.micros()},
          {"min_rtt_us", channel.min_rtt.micros()},
          {"packets_sent", channel.stats.packets_sent},
          {"packets_received", channel.stats.packets_received},
          {"packets_lost", channel.stats.packets_lost},
          {"spuriously_lost", channel.stats.packets_spuriously_lost},
          {"duplicates", channel.stats.duplicates},
          {"acks_sent", channel.stats.acks_sent},
          {"acks_received", channel.stats.acks_received},
          {"ptos", channel.stats.ptos},
          {"ce_received", channel.stats.ce_received}};
}

std::string CongestionName(const SessionStatus& session) {
  if (!session.kernel_congestion.empty()) return session.kernel_congestion;
  return session.congestion == transport::CongestionAlgorithm::kDctcp ? "dctcp" : "cubic";
}

Json SessionPart(const Host& host) {
  Json sessions = Json::array();
  for (const SessionStatus& session : host.driver().Status()) {
    if (sessions.size() == kMaxRows) break;
    Json channels = Json::array();
    for (const ChannelStatus& channel : session.channels) channels.push_back(ChannelPart(channel));
    sessions.push_back({{"peer", session.peer.ToString()},
                        {"state", session.up ? "up" : "connecting"},
                        {"role", session.client ? "client" : "server"},
                        {"congestion", CongestionName(session)},
                        {"streams", session.references},
                        {"channels", channels}});
  }
  return sessions;
}

const char* StateName(SocketState state) {
  switch (state) {
    case SocketState::kIdle:
      return "idle";
    case SocketState::kBound:
      return "bound";
    case SocketState::kListening:
      return "listening";
    case SocketState::kConnecting:
      return "connecting";
    case SocketState::kConnected:
      return "connected";
    case SocketState::kClosed:
      return "closed";
  }
  return "unknown";
}

// The channels that may carry a socket's bytes: those of its class, or all where it has none of its
// own.
using SessionsBySlot = absl::flat_hash_map<uint32_t, const SessionStatus*>;
Json ChannelsOf(const SocketStatus& socket, const SessionsBySlot& sessions) {
  Json own = Json::array(), all = Json::array();
  const auto session = sessions.find(socket.session.slot);
  if (session == sessions.end() || session->second->handle != socket.session) return own;
  for (const ChannelStatus& channel : session->second->channels) {
    if (channel.failed) continue;
    all.push_back(channel.index);
    if (channel.app_class == socket.app_class) own.push_back(channel.index);
  }
  return own.empty() ? all : own;
}

Json SocketPart(const Host& host, const Bridge& bridge) {
  Json sockets = Json::array();
  const std::vector<SessionStatus> list = host.driver().Status();
  SessionsBySlot sessions;
  for (const SessionStatus& session : list) sessions.emplace(session.handle.slot, &session);
  for (const SocketStatus& socket : host.sockets().ListSockets()) {
    if (sockets.size() == kMaxRows) break;
    const ApplicationInfo* owner = bridge.InfoOf(socket.owner);
    sockets.push_back({{"socket", socket.id},
                       {"state", socket.held ? StateName(socket.state) : "finishing"},
                       {"class", ClassName(socket.app_class)},
                       {"class_by", ClassSourceName(socket.class_source)},
                       {"weight", socket.weight},
                       {"local", socket.local.ToString()},
                       {"peer", socket.peer.ToString()},
                       {"pid", owner != nullptr ? owner->pid : 0},
                       {"command", owner != nullptr ? owner->command : ""},
                       {"channels", ChannelsOf(socket, sessions)},
                       {"sent_bytes", socket.sent},
                       {"received_bytes", socket.received},
                       {"unread_bytes", socket.unread},
                       {"window_bytes", socket.window},
                       {"unacknowledged_bytes", socket.unacknowledged},
                       {"unsent_bytes", socket.unsent}});
  }
  return sockets;
}

Json FallbackPart(Time now, const FallbackLog& log) {
  Json recent = Json::array();
  for (const FallbackLog::Entry& entry : log.entries()) {
    recent.push_back({{"seconds_ago", (now - entry.at).nanos() / 1'000'000'000},
                      {"peer", entry.peer.ToString()},
                      {"reason", std::string(ipc::FallbackReasonName(entry.reason))},
                      {"pid", entry.application.pid},
                      {"command", entry.application.command}});
  }
  return recent;
}

Json FallbackCounts(const FallbackLog& log) {
  Json counts = Json::object();
  for (uint32_t i = 0; i < static_cast<uint32_t>(ipc::FallbackReason::kCount); ++i) {
    const auto reason = static_cast<ipc::FallbackReason>(i);
    counts[std::string(ipc::FallbackReasonName(reason))] = log.count(reason);
  }
  return counts;
}

Json DaemonPart(const DaemonFacts& facts) {
  return {{"applications", facts.applications},
          {"connections", facts.connections},
          {"descriptors", facts.descriptors},
          {"guardian", facts.guardian >= 0 ? "watches" : "is gone"},
          {"guardian_pid", facts.guardian},
          {"guardian_restarts", facts.guardian_restarts},
          {"large_copies", "through the rings"},
          {"large_copies_why", "process_vm_readv is slower, see userspace/ipc/README.md"}};
}

Json CopyPart(const Config& config, const CopyTally& tally) {
  return {{"workers", config.copy_workers},
          {"policy", config.copy_policy},
          {"checked", config.copy_checked},
          {"copies", tally.copies},
          {"worker_pieces", tally.worker_pieces},
          {"worker_bytes", tally.worker_bytes},
          {"caller_pieces", tally.caller_pieces},
          {"caller_bytes", tally.caller_bytes},
          {"faults", tally.faults},
          {"pools_refused", tally.pools_refused}};
}

Json CounterPart(const Host& host) {
  const SocketStats stats = host.sockets().Stats();
  return {{"sockets", stats.sockets},
          {"streams", stats.streams},
          {"connects", stats.connects},
          {"accepts", stats.accepts},
          {"refused", stats.refused},
          {"resets_sent", stats.resets_sent},
          {"resets_received", stats.resets_received},
          {"resets_dropped", stats.resets_dropped},
          {"violations", stats.violations},
          {"timeouts", stats.timeouts},
          {"sessions_lost", stats.sessions_lost},
          {"bytes_sent", stats.bytes_sent},
          {"bytes_received", stats.bytes_received}};
}

}  // namespace

std::string BuildStatus(const Config& config, const LiveInterface& interface, Host& host,
                        const Bridge& bridge, const ThreadPriority::Status& thread,
                        const DaemonFacts* daemon) {
  Json status = {{"stack", StackPart(config, interface)}, {"thread", ThreadPart(thread)}};
  if (const XdpDevice* device = interface.device()) {
    const Driver& driver = *host.packet_driver();
    status["device"] = DevicePart(*device);
    status["channel_scaling"] = ScalingPart(ipc::MonotonicNow(), *host.scaler());
    status["channel_threads"] = ChannelThreadPart(*device);
    status["steering"] =
        SteeringPart(ipc::MonotonicNow(), host.scheduler(), driver, *interface.steering());
    status["lanes"] = LanePart(*device, driver, *interface.steering());
    status["verdicts"] = VerdictPart(*device);
  }
  status["drops"] = DropPart(host);
  status["counters"] = CounterPart(host);
  status["copy"] = CopyPart(config, bridge.TallyCopies());
  status["sessions"] = SessionPart(host);
  status["sockets"] = SocketPart(host, bridge);
  status["fallback_counts"] = FallbackCounts(bridge.fallbacks());
  status["fallbacks"] = FallbackPart(ipc::MonotonicNow(), bridge.fallbacks());
  if (daemon != nullptr) status["daemon"] = DaemonPart(*daemon);
  return status.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace netchannel
