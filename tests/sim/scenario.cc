// SPDX-License-Identifier: Apache-2.0
#include "sim/scenario.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "sim/traffic.h"
#include "vns/status.h"

namespace netchannel::sim {
namespace {

// A megabyte at the harshest mixture takes a few seconds; a minute is a stack that hangs.
constexpr Duration kTimeLimit = Duration::Seconds(60);
// Closing waits for acknowledgements, which can be lost a few times in a row.
constexpr Duration kCleanupLimit = Duration::Seconds(60);
// Shorter than any timeout that would end a stream.
constexpr Duration kOutage = Duration::Seconds(2);
constexpr Duration kIdle = Duration::Seconds(5);
constexpr Duration kUserTimeout = Duration::Seconds(10);

const char* NameOf(Disaster disaster) {
  static constexpr const char* kNames[] = {"no disaster", "restart", "power off", "outage"};
  return kNames[static_cast<size_t>(disaster)];
}

template <typename T, size_t n>
T OneOf(Rng& rng, const T (&values)[n]) {
  return values[rng.Below(n)];
}

HostOptions RandomHost(Rng& rng, uint32_t mtu) {
  HostOptions host;
  host.mtu = mtu;
  host.queues = OneOf(rng, {1u, 1u, 2u});
  host.channels_per_class = OneOf<uint8_t>(rng, {1, 1, 2, 4});
  host.ring_bytes = OneOf<uint64_t>(rng, {64 * 1024, 128 * 1024, 256 * 1024});
  host.max_sockets = 32;
  host.idle_timeout = kIdle;
  host.user_timeout = kUserTimeout;
  host.policy = rng.Chance(0.5) ? "round-robin" : "least-backlog";
  host.lane.rx_capacity = OneOf(rng, {64u, 1024u});
  host.lane.tx_budget = OneOf(rng, {0u, 0u, 1u, 8u});
  host.lane.rx_chunk = OneOf(rng, {0u, 0u, 256u, 1000u});
  host.wake_delay = Duration::Micros(OneOf(rng, {0, 0, 20, 500}));
  return host;
}

LinkConfig RandomLink(Rng& rng, uint32_t mtu) {
  LinkConfig link;
  link.rate =
      Bandwidth::BitsPerSecond(OneOf<uint64_t>(rng, {100'000'000, 1'000'000'000, 10'000'000'000}));
  link.delay = Duration::Micros(OneOf(rng, {5, 50, 500, 5000}));
  link.queue_limit = OneOf<ByteCount>(rng, {32 * 1024, 256 * 1024, 1024 * 1024});
  link.ecn_threshold = rng.Chance(0.5) ? link.queue_limit / 8 : 0;
  link.mtu = rng.Chance(0.2) ? 1300 : mtu;  // what the interfaces do not say
  link.faults = Faults::FromSeed(rng.Next());
  return link;
}

class Run {
 public:
  explicit Run(const ScenarioOptions& options)
      : options_(options),
        rng_(options.seed),
        network_(rng_.Next(), options.ipv6),
        traffic_(&network_) {}

  ScenarioResult Go() {
    for (const HostOptions& host : options_.hosts) network_.AddHost(host);
    network_.Join(options_.links[0], options_.links[1]);
    network_.StartAll();
    for (size_t i = 0; i < 2; ++i) traffic_.Serve(network_.host(i));
    const Time start = network_.now();
    strikes_at_ = start + options_.disaster_at;
    OpenStreams();
    RunTo(strikes_at_);
    const bool ended = network_.RunUntil([&] { return traffic_.Done(); }, kTimeLimit);
    result_.took = network_.now() - start;
    if (!ended)
      result_.wrong.push_back("not at an end after " + absl::StrCat(kTimeLimit.seconds(), " s"));
    for (std::string& wrong : traffic_.Judge()) result_.wrong.push_back(std::move(wrong));
    if (ended) CheckBaseline();
    Conclude();
    return std::move(result_);
  }

 private:
  // The client is one host or the other, so that sessions are opened from both sides at once too.
  void OpenStreams() {
    std::vector<Duration> instants;
    for (uint32_t i = 0; i < options_.streams; ++i) {
      const auto within = static_cast<uint64_t>(options_.open_within.nanos());
      instants.push_back(
          Duration::Nanos(within == 0 ? 0 : static_cast<int64_t>(rng_.Below(within))));
    }
    std::sort(instants.begin(), instants.end());
    const Time start = network_.now();
    for (const Duration& instant : instants) {
      RunTo(start + instant);
      size_t client = rng_.Below(2);
      if (!network_.host(client).running()) client = 1 - client;
      traffic_.Open(network_.host(client), network_.host(1 - client),
                    StreamPlan::FromSeed(rng_.Next(), options_.bytes));
    }
  }

  // With the disaster, if its time is before.
  void RunTo(Time when) {
    if (!struck_ && options_.disaster != Disaster::kNone && when >= strikes_at_) {
      struck_ = true;
      RunTo(strikes_at_);
      Strike();
    }
    network_.RunFor(when - network_.now());
  }

  void Strike() {
    SimHost& victim = network_.host(options_.victim);
    switch (options_.disaster) {
      case Disaster::kNone:
        break;
      case Disaster::kRestart:
        victim.Start();
        traffic_.Serve(victim);
        break;
      case Disaster::kPowerOff:
        victim.Kill();
        break;
      case Disaster::kOutage:
        for (size_t i = 0; i < 2; ++i) network_.link(i).SetDown(network_.now() + kOutage);
        break;
    }
  }

  bool AtBaseline(SimHost& host) {
    if (!host.running()) return true;
    const SocketStats stats = host.sockets().Stats();
    return host.buffers().in_use() == 0 && stats.sockets == 0 && stats.streams == 0;
  }

  void CheckBaseline() {
    traffic_.CloseServers();
    const bool home = network_.RunUntil(
        [&] { return AtBaseline(network_.host(0)) && AtBaseline(network_.host(1)); },
        kCleanupLimit);
    if (!home) result_.wrong.push_back("sockets or their buffers did not come home");
    // Sessions without streams are closed after their idle time, by one end or the other.
    const bool closed = network_.RunUntil([&] { return Sessions() == 0; }, kIdle * 3);
    if (!closed) result_.wrong.push_back("idle sessions were not closed");
    for (size_t i = 0; i < 2; ++i) network_.host(i).Kill();
    network_.RunFor(Duration::Seconds(1));
    if (network_.frames_outstanding() != 0) result_.wrong.push_back("frames did not come home");
  }

  size_t Sessions() {
    size_t sessions = 0;
    for (size_t i = 0; i < 2; ++i) {
      if (network_.host(i).running()) sessions += network_.host(i).driver().session_count();
    }
    return sessions;
  }

  void Conclude() {
    result_.trace_hash = network_.trace().hash();
    for (size_t i = 0; i < network_.link_count(); ++i)
      result_.frames += network_.link(i).stats().frames_in;
    if (!result_.wrong.empty()) {
      result_.description =
          absl::StrCat(options_.ToString(), network_.Describe(), traffic_.DescribeUnfinished());
    }
  }

  const ScenarioOptions options_;
  SeededRng rng_;
  Network network_;
  Traffic traffic_;
  Time strikes_at_;
  bool struck_ = false;
  ScenarioResult result_;
};

}  // namespace

ScenarioOptions ScenarioOptions::FromSeed(uint64_t seed) {
  SeededRng rng(seed);
  ScenarioOptions o;
  o.seed = rng.Next();
  o.ipv6 = rng.Chance(0.3);
  const uint32_t mtu = OneOf(rng, {1500u, 1500u, 3484u, 9000u});
  for (HostOptions& host : o.hosts) host = RandomHost(rng, mtu);
  const auto congestion = rng.Chance(0.5) ? transport::CongestionAlgorithm::kCubic
                                          : transport::CongestionAlgorithm::kDctcp;
  for (HostOptions& host : o.hosts) host.congestion = congestion;
  for (LinkConfig& link : o.links) link = RandomLink(rng, mtu);
  o.streams = OneOf(rng, {1u, 2u, 4u, 12u});
  o.bytes = 1'000'000 / o.streams;
  if (rng.Chance(0.2)) {
    o.disaster = OneOf(rng, {Disaster::kRestart, Disaster::kPowerOff, Disaster::kOutage});
    o.victim = static_cast<uint32_t>(rng.Below(2));
    o.disaster_at = Duration::Micros(static_cast<int64_t>(rng.Below(30'000)));
  }
  o.open_within = Duration::Millis(OneOf(rng, {0, 1, 20}));
  return o;
}

std::string ScenarioOptions::ToString() const {
  std::string text = absl::StrCat(
      ipv6 ? "ipv6" : "ipv4", " mtu ", hosts[0].mtu, " streams ", streams, " of ", bytes,
      " within ", open_within.micros(), " us, ",
      hosts[0].congestion == transport::CongestionAlgorithm::kCubic ? "cubic" : "dctcp", ", ",
      NameOf(disaster), " of host ", victim, " at ", disaster_at.micros(), " us\n");
  for (const HostOptions& host : hosts) {
    absl::StrAppend(&text, "  host: queues ", host.queues, " channels ", host.channels_per_class,
                    " ring ", host.ring_bytes, " ", std::string(host.policy), " rx ",
                    host.lane.rx_capacity, " tx ", host.lane.tx_budget, " chunk ",
                    host.lane.rx_chunk, " wake ", host.wake_delay.micros(), " us\n");
  }
  for (const LinkConfig& link : links) {
    absl::StrAppend(&text, "  link: ", link.rate.bytes_per_second() * 8 / 1'000'000, " Mbit/s ",
                    link.delay.micros(), " us queue ", link.queue_limit, " ecn ",
                    link.ecn_threshold, " ", link.faults.ToString(), "\n");
  }
  return text;
}

ScenarioResult RunScenario(const ScenarioOptions& options) { return Run(options).Go(); }

}  // namespace netchannel::sim
