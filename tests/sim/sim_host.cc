// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_host.h"

#include "absl/strings/str_cat.h"
#include "sim/require.h"
#include "vns/status.h"

namespace netchannel::sim {
namespace {

// Rounds of one host at one instant. A lawful stack needs a few for each batch of frames; more
// means that a timeout in the past is asked for again and again, which on a real host is a core
// spinning for nothing.
constexpr uint32_t kMaxRoundsAtOnce = 100'000;

constexpr uint32_t kIpv4UdpHeader = 20 + 8;

wire::IpAddress AddressOf(uint32_t number, bool ipv6) {
  if (!ipv6) return wire::IpAddress::V4(10u << 24 | number);
  std::array<uint8_t, 16> bytes{0xfd};
  for (size_t i = 0; i < 4; ++i) bytes[15 - i] = static_cast<uint8_t>(number >> (8 * i));
  return wire::IpAddress::V6(bytes);
}

MacAddress MacOf(uint32_t number) {
  return {0x02,
          0,
          static_cast<uint8_t>(number >> 24),
          static_cast<uint8_t>(number >> 16),
          static_cast<uint8_t>(number >> 8),
          static_cast<uint8_t>(number)};
}

}  // namespace

SimHost::SimHost(EventQueue* events, Trace* trace, FramePool* pool, uint32_t number, bool ipv6,
                 const HostOptions& options, uint64_t seed)
    : Actor(events),
      trace_(trace),
      number_(number),
      options_(options),
      address_(AddressOf(number, ipv6)),
      mac_(MacOf(number)),
      rng_(seed),
      wake_rng_(~seed),
      nic_(mac_, kBasePort),
      hops_(mac_) {
  for (uint32_t index = 0; index < options.queues * kAppClasses; ++index) {
    LaneInfo info;
    info.index = index;
    info.queue = index / kAppClasses;
    info.app_class = static_cast<uint8_t>(index % kAppClasses);
    info.mtu = static_cast<uint16_t>(options.mtu);
    info.rx_capacity = options.lane.rx_capacity;
    lanes_.push_back(std::make_unique<SimLane>(events, info, options.lane, pool, &egress_));
    nic_.AddLane(lanes_.back().get());
  }
}

SimHost::~SimHost() { Kill(); }

HostConfig SimHost::Config() const {
  HostConfig config;
  config.driver.addresses = address_;
  config.driver.base_port = kBasePort;
  config.driver.channels_per_class = options_.channels_per_class;
  config.driver.open_per_class = options_.open_per_class;
  config.scaling.policy = options_.scaling;
  config.scaling.least = options_.open_per_class;
  config.scaling.backlog_limit = config.driver.channel_backlog_limit;
  config.driver.max_sessions = options_.max_sessions;
  config.driver.idle_timeout = options_.idle_timeout;
  transport::ConnectionConfig& connection = config.driver.connection;
  connection.congestion = options_.congestion;
  connection.max_packet_size = options_.mtu - kIpv4UdpHeader;
  connection.user_timeout = options_.user_timeout;
  config.scheduler.policy = options_.policy;
  config.sockets.addresses = address_;
  config.sockets.peer_base_port = kBasePort;
  config.sockets.max_sockets = options_.max_sockets;
  config.sockets.default_user_timeout = options_.user_timeout;
  return config;
}

void SimHost::Start() {
  Kill();
  buffers_ = std::make_unique<HeapBufferPool>(options_.ring_bytes, options_.max_sockets);
  std::vector<Lane*> lanes;
  for (const auto& lane : lanes_) lanes.push_back(lane.get());
  auto host = Host::Create(Config(), lanes, &hops_, buffers_.get(), &rng_, now());
  Require(host.ok(), "the stack does not start");
  host_ = *std::move(host);
  users_.assign(options_.max_sockets, nullptr);
  Kick();
}

void SimHost::Kill() {
  ++incarnation_;
  host_.reset();
  for (const auto& lane : lanes_) lane->DropAll();
}

void SimHost::SetUser(SocketId socket, SocketUser* user) {
  if (socket >= users_.size()) users_.resize(socket + 1, nullptr);
  users_[socket] = user;
}

void SimHost::OnFrame(Frame frame) {
  if (host_ == nullptr || !nic_.Steer(std::move(frame))) return;
  const int64_t most = options_.wake_delay.nanos();
  WakeAt(now() +
         Duration::Nanos(
             most == 0 ? 0 : static_cast<int64_t>(wake_rng_.Below(static_cast<uint64_t>(most)))));
}

bool SimHost::TellUsers(Time now) {
  bool any = false;
  while (const auto socket = host_->sockets().PollChanged()) {
    any = true;
    const SocketView* view = host_->sockets().View(*socket);
    if (view != nullptr) {
      trace_->Add(
          now, "view", number_ << 16 | *socket,
          view->received ^ view->acknowledged << 20 ^ static_cast<uint64_t>(view->error) << 56);
    }
    if (*socket < users_.size() && users_[*socket] != nullptr) users_[*socket]->OnChanged(now);
  }
  return any;
}

void SimHost::CheckProgress(Time now) {
  rounds_at_once_ = now == last_round_ ? rounds_at_once_ + 1 : 0;
  last_round_ = now;
  Require(rounds_at_once_ < kMaxRoundsAtOnce, "the stack spins without progress");
}

void SimHost::OnWake(Time now) {
  if (host_ == nullptr) return;
  size_t moved = 0;
  do {
    CheckProgress(now);
    moved = host_->Receive(now);
    if (TellUsers(now)) ++moved;
    moved += host_->Transmit(now);
    if (TellUsers(now)) ++moved;
  } while (moved > 0 || host_->NextTimeout() <= now);
  WakeAt(host_->NextTimeout());
}

uint64_t SimHost::drops() const {
  uint64_t total = 0;
  for (size_t i = 0; i < static_cast<size_t>(DropReason::kCount); ++i) {
    total += host_->driver().drops(static_cast<DropReason>(i));
  }
  return total;
}

std::string SimHost::Describe() const {
  std::string text;
  for (const SessionStatus& session : host_->driver().Status()) {
    absl::StrAppend(&text, "    session to ", session.peer.ToString(),
                    session.up ? " up" : " not up", session.client ? " client" : " server",
                    " references ", session.references, "\n");
    for (const ChannelStatus& c : session.channels) {
      absl::StrAppend(&text, "      channel ", c.index, " class ", static_cast<int>(c.app_class),
                      " ", c.state, " backlog ", c.backlog, " in flight ", c.bytes_in_flight,
                      " window ", c.congestion_window, " packet ", c.packet_size, " rtt ",
                      c.smoothed_rtt.micros(), " us; sent ", c.stats.packets_sent, " received ",
                      c.stats.packets_received, " lost ", c.stats.packets_lost, " spurious ",
                      c.stats.packets_spuriously_lost, " acks ", c.stats.acks_sent, " ptos ",
                      c.stats.ptos, " ce ", c.stats.ce_received, "\n");
    }
  }
  for (const SocketStatus& socket : host_->sockets().ListSockets()) {
    absl::StrAppend(&text, "      socket ", socket.id, " state ", static_cast<int>(socket.state),
                    socket.held ? " held" : " orphan", " error ", socket.error, " stream ",
                    socket.stream, " unread ", socket.unread, " window ", socket.window,
                    " unacknowledged ", socket.unacknowledged, " unsent ", socket.unsent, "\n");
  }
  return text;
}

}  // namespace netchannel::sim
