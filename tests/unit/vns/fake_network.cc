// SPDX-License-Identifier: Apache-2.0
#include "fake_network.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace netchannel {
namespace {

void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "fake network: %s\n", what);
  std::abort();
}

wire::IpAddress AddressOf(uint8_t host, bool ipv6) {
  if (!ipv6) return wire::IpAddress::V4(0x0a000000u + host);
  return wire::IpAddress::V6({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host});
}

SocketLayerConfig LayerConfig(const FakeNetwork::Options& options, uint8_t host) {
  SocketLayerConfig config;
  config.addresses = {AddressOf(host, false), AddressOf(host, true)};
  config.peer_base_port = 4000;
  config.initial_window = options.initial_window;
  config.automatic_class = options.automatic;
  config.max_sockets = options.max_sockets;
  return config;
}

constexpr uint16_t kBasePort = 4000;

}  // namespace

std::string Pattern(size_t length, uint64_t offset) {
  std::string bytes(length, '\0');
  for (size_t i = 0; i < length; ++i) {
    const uint64_t at = offset + i;
    bytes[i] = static_cast<char>(at * 31 + (at >> 8) * 7 + (at >> 16));
  }
  return bytes;
}

// ---- FakePort

absl::StatusOr<SessionHandle> FakePort::Probe(Time now, const wire::IpEndpoint& to) {
  ++probes;
  return Connect(now, to);
}

absl::StatusOr<SessionHandle> FakePort::Connect(Time, const wire::IpEndpoint& to) {
  if (refuse_connect.has_value()) return *refuse_connect;
  Require(to == peer, "connect to a host that is not there");
  wanted = true;
  return handle;
}

std::optional<Time> FakePort::LastHeard(SessionHandle session) const {
  if (!IsUp(session)) return std::nullopt;
  return heard;
}

void FakePort::Ping(Time now, SessionHandle session) {
  Require(IsUp(session), "ping in no session");
  pings.push_back(now);
  if (!peer_silent) heard = now;
}

std::optional<wire::IpEndpoint> FakePort::PeerOf(SessionHandle session) const {
  if (session != handle) return std::nullopt;
  return peer;
}

void FakePort::SetChannels(int throughput, int latency) {
  channels.clear();
  for (int i = 0; i < throughput + latency; ++i) {
    const AppClass app_class = i < throughput ? AppClass::kThroughput : AppClass::kLatency;
    channels.push_back({static_cast<uint8_t>(i), app_class, 0, limit});
  }
  queues.assign(channels.size(), {});
}

absl::Span<const ChannelInfo> FakePort::Channels(SessionHandle session) {
  if (!IsUp(session)) return {};
  for (size_t i = 0; i < channels.size(); ++i) {
    ByteCount backlog = 0;
    for (const Segment& s : queues[i]) backlog += s.length;
    channels[i].backlog = backlog;
    channels[i].capacity = backlog < limit ? limit - backlog : 0;
  }
  return channels;
}

bool FakePort::Enqueue(Time, SessionHandle session, uint8_t channel, const Segment& segment) {
  Require(session.valid(), "enqueue on no session");
  if (!IsUp(session) || Channels(session)[channel].capacity == 0) return false;
  queues[channel].push_back(segment);
  enqueued_log.push_back(segment);
  return true;
}

size_t FakePort::queued() const {
  size_t sum = 0;
  for (const auto& queue : queues) sum += queue.size();
  return sum;
}

// ---- TestPool

std::optional<SocketBuffers> TestPool::Allocate(uint32_t) {
  if (rings_.size() >= capacity) return std::nullopt;
  const uint32_t slot = next_slot_++;
  auto& ring = rings_[slot];
  ring = std::make_unique_for_overwrite<std::byte[]>(2 * ring_bytes_);
  return SocketBuffers{slot, {ring.get(), ring_bytes_}, {ring.get() + ring_bytes_, ring_bytes_}};
}

void TestPool::Free(uint32_t, const SocketBuffers& buffers) {
  Require(rings_.erase(buffers.slot) == 1, "buffers freed twice");
}

// ---- FakeHost

FakeHost::FakeHost(const wire::IpAddress& own_address, SocketLayerConfig config,
                   uint64_t ring_bytes, uint32_t max_streams, uint64_t seed)
    : address(own_address), rng(seed), streams(max_streams), pool(ring_bytes) {
  scheduler = *Scheduler::Create({});
  layer = std::make_unique<SocketLayer>(config, &port, scheduler.get(), &streams, &pool, &rng);
  port.SetChannels(1, 1);
}

SocketId FakeHost::Create(uint32_t owner) {
  const auto created = layer->Create(owner);
  Require(created.error == 0, "create failed");
  apps[created.socket] = {created.buffers};
  return created.socket;
}

SocketId FakeHost::Listen(uint16_t listen_port, uint32_t backlog) {
  const SocketId socket = Create();
  Require(layer->Bind(socket, {address, listen_port}) == 0, "bind failed");
  Require(layer->Listen(socket, backlog) == 0, "listen failed");
  return socket;
}

SocketId FakeHost::Connect(Time now, const wire::IpEndpoint& peer, int expected) {
  const SocketId socket = Create();
  Require(layer->Connect(now, socket, peer) == expected, "connect's result");
  return socket;
}

std::optional<SocketId> FakeHost::Accept(SocketId listener) {
  const auto accepted = layer->Accept(listener);
  if (accepted.error != 0) return std::nullopt;
  apps[accepted.socket] = {accepted.buffers};
  return accepted.socket;
}

size_t FakeHost::Write(Time now, SocketId socket, std::string_view bytes) {
  App& app = apps[socket];
  const ByteCount used = app.written - View(socket).acknowledged;
  const size_t fits = std::min<size_t>(bytes.size(), app.buffers.send.size - used);
  app.buffers.send.CopyIn(app.written, {reinterpret_cast<const std::byte*>(bytes.data()), fits});
  app.written += fits;
  layer->OnWritten(now, socket, app.written);
  return fits;
}

std::string FakeHost::Read(Time now, SocketId socket, size_t max) {
  App& app = apps[socket];
  const size_t length = std::min<size_t>(max, View(socket).received - app.consumed);
  std::string bytes(length, '\0');
  app.buffers.receive.CopyOut(app.consumed,
                              absl::MakeSpan(reinterpret_cast<std::byte*>(bytes.data()), length));
  app.consumed += length;
  Require(layer->OnConsumed(now, socket, app.consumed) == 0, "consumed refused");
  return bytes;
}

void FakeHost::Close(Time now, SocketId socket) {
  apps.erase(socket);
  layer->Close(now, socket);
}

bool FakeHost::AtEnd(SocketId socket) {
  return View(socket).peer_fin && View(socket).received == apps[socket].consumed;
}

std::vector<SocketId> FakeHost::Changed() {
  std::vector<SocketId> all;
  while (const auto socket = layer->PollChanged()) all.push_back(*socket);
  return all;
}

// ---- FakeNetwork

FakeNetwork::FakeNetwork(const Options& o)
    : options(o),
      rng(o.seed),
      a(AddressOf(1, o.ipv6), LayerConfig(o, 1), o.ring_bytes, o.max_streams, o.seed * 2),
      b(AddressOf(2, o.ipv6), LayerConfig(o, 2), o.ring_bytes, o.max_streams, o.seed * 2 + 1) {
  a.port.peer = {b.address, kBasePort};
  b.port.peer = {a.address, kBasePort};
  b.port.role = 1;
  a.port.handle = b.port.handle = {3, ++generation_};
}

bool FakeNetwork::Establish() {
  if (hold_handshake || a.port.up || (!a.port.wanted && !b.port.wanted)) return false;
  for (FakeHost* host : {&a, &b}) {
    host->port.up = true;
    host->port.heard = now;
    host->layer->OnDriverEvent(
        now, {.kind = DriverEvent::Kind::kSessionUp, .session = host->port.handle, .segment = {}});
  }
  return true;
}

void FakeNetwork::BreakSession(int error) {
  for (Wire& wire : wires) wire = Wire();
  ++generation_;
  for (FakeHost* host : {&a, &b}) {
    const SessionHandle old = host->port.handle;
    host->port.handle.generation = generation_;
    host->port.up = host->port.wanted = false;
    host->port.references = 0;
    for (auto& queue : host->port.queues) queue.clear();
    host->layer->OnDriverEvent(
        now,
        {.kind = DriverEvent::Kind::kSessionDown, .session = old, .segment = {}, .error = error});
  }
}

// As a channel does: values and bytes are read when the packet is built.
std::optional<FakePacket> FakeNetwork::Build(FakeHost& from, const Segment& segment) {
  const StreamEntry* entry = from.streams.Find(segment.stream);
  if (entry == nullptr) return std::nullopt;
  FakePacket packet;
  packet.segment = segment;
  Delivery d;
  d.session = other(from).port.handle;
  d.stream = entry->id;
  d.receive_limit = entry->receive_limit;
  d.source_port = entry->source_port;
  d.destination_port = entry->destination_port;
  d.app_class = entry->app_class;
  d.reset_code = static_cast<wire::ResetCode>(entry->reset_code);
  const auto add = [&packet, d](wire::RecordType type) {
    packet.deliveries.push_back(d);
    packet.deliveries.back().type = type;
  };
  switch (segment.kind) {
    case SegmentKind::kOpen:
      add(wire::RecordType::kOpen);
      break;
    case SegmentKind::kAccept:
      add(wire::RecordType::kAccept);
      break;
    case SegmentKind::kWindow:
      add(wire::RecordType::kWindow);
      break;
    case SegmentKind::kReset:
      add(wire::RecordType::kReset);
      break;
    case SegmentKind::kData:
      if (segment.length > 0 && !entry->send.valid()) return std::nullopt;
      if (segment.with_open) add(wire::RecordType::kOpen);
      add(wire::RecordType::kData);
      packet.payload.resize(segment.length);
      if (segment.length > 0) entry->send.CopyOut(segment.offset, absl::MakeSpan(packet.payload));
      packet.deliveries.back().offset = segment.offset;
      packet.deliveries.back().length = segment.length;
      packet.deliveries.back().fin = segment.fin;
  }
  return packet;
}

bool FakeNetwork::Send(FakeHost& from, Wire& wire) {
  bool moved = false;
  for (auto& queue : from.port.queues) {
    while (!queue.empty()) {
      Segment& front = queue.front();
      Segment piece = front;
      const bool whole = front.length <= options.packet_bytes;
      if (!whole) {
        piece.length = static_cast<uint32_t>(options.packet_bytes);
        piece.fin = false;
        front.offset += piece.length;
        front.length -= piece.length;
      } else {
        queue.pop_front();
      }
      if (auto packet = Build(from, piece)) wire.packets.push_back(std::move(*packet));
      moved = true;
    }
  }
  return moved;
}

void FakeNetwork::HandOver(FakeHost& to, FakePacket& packet) {
  to.port.heard = now;
  for (Delivery& d : packet.deliveries) {
    if (d.type == wire::RecordType::kData && !packet.payload.empty()) {
      // In two pieces, as a packet over two chunks.
      const absl::Span<const std::byte> all = packet.payload;
      const size_t cut = rng.Below(all.size() + 1);
      d.payload[0] = all.subspan(0, cut);
      d.payload[1] = all.subspan(cut);
      d.payload_count = 2;
    }
    to.layer->OnDelivery(now, d);
  }
}

bool FakeNetwork::Deliver(FakeHost& from, Wire& wire) {
  if (hold_packets) return false;
  FakeHost& to = other(from);
  if (!wire.late.empty() && (wire.packets.empty() || rng.Chance(0.2))) {
    FakePacket packet = std::move(wire.late.front());
    wire.late.pop_front();
    HandOver(to, packet);
    return true;
  }
  if (wire.packets.empty()) return false;
  const size_t at = rng.Chance(options.faults.reorder) ? rng.Below(wire.packets.size()) : 0;
  FakePacket packet = std::move(wire.packets[at]);
  wire.packets.erase(wire.packets.begin() + static_cast<ptrdiff_t>(at));
  if (rng.Chance(options.faults.loss)) {
    if (auto again = Build(from, packet.segment)) wire.packets.push_back(std::move(*again));
    return true;
  }
  if (rng.Chance(options.faults.duplicate)) wire.late.push_back(packet);
  HandOver(to, packet);
  wire.acks.push_back(packet.segment);
  return true;
}

bool FakeNetwork::Acknowledge(FakeHost& from, Wire& wire) {
  if (hold_acks || wire.acks.empty()) return false;
  const size_t at = rng.Chance(options.faults.reorder) ? rng.Below(wire.acks.size()) : 0;
  const Segment segment = wire.acks[at];
  wire.acks.erase(wire.acks.begin() + static_cast<ptrdiff_t>(at));
  from.port.heard = now;
  from.layer->OnDriverEvent(
      now,
      {.kind = DriverEvent::Kind::kAcknowledged, .session = from.port.handle, .segment = segment});
  return true;
}

void FakeNetwork::PumpAndSend() {
  for (FakeHost* host : {&a, &b}) {
    host->layer->Pump(now, 64);
    Send(*host, wires[host == &a ? 0 : 1]);
  }
}

bool FakeNetwork::Round() {
  bool moved = Establish();
  for (FakeHost* host : {&a, &b}) {
    Wire& wire = wires[host == &a ? 0 : 1];
    moved |= host->layer->Pump(now, 64) > 0;
    moved |= Send(*host, wire);
    moved |= Deliver(*host, wire);
    moved |= Acknowledge(*host, wire);
  }
  return moved;
}

void FakeNetwork::Run(int rounds) {
  while (rounds-- > 0 && Round()) {
  }
}

void FakeNetwork::Advance(Duration by) {
  const Time end = now + by;
  while (true) {
    const Time next = std::min(a.layer->NextTimeout(), b.layer->NextTimeout());
    if (next > end) break;
    now = std::max(now, next);
    a.layer->OnTimer(now);
    b.layer->OnTimer(now);
    Run();
  }
  now = end;
}

FakeNetwork::Pair FakeNetwork::Connected() {
  Pair pair{};
  pair.listener = b.Listen(80);
  pair.client = a.Connect(now, server_endpoint());
  Run();
  const auto server = b.Accept(pair.listener);
  Require(server.has_value(), "no connection");
  pair.server = *server;
  a.Changed();
  b.Changed();
  return pair;
}

bool FakeNetwork::idle() const {
  for (const Wire& wire : wires) {
    if (!wire.packets.empty() || !wire.late.empty() || !wire.acks.empty()) return false;
  }
  return a.port.queued() == 0 && b.port.queued() == 0;
}

}  // namespace netchannel
