// SPDX-License-Identifier: Apache-2.0
#include "test_network.h"

#include <algorithm>
#include <cstring>

#include "wire/packet.h"

namespace netchannel {
namespace {

constexpr uint16_t kBasePort = 4700;
constexpr size_t kRingSize = size_t{1} << 20;

LinkHeader LinkTo(const wire::IpAddress& destination) {
  LinkHeader link;
  link.bytes[0] = std::byte{2};
  link.bytes[5] = std::byte{destination.bytes[15]};
  link.bytes[6] = std::byte{2};
  link.bytes[12] = destination.is_v4() ? std::byte{0x08} : std::byte{0x86};
  link.bytes[13] = destination.is_v4() ? std::byte{0x00} : std::byte{0xdd};
  return link;
}

}  // namespace

std::optional<LinkHeader> TestNextHops::Find(const wire::IpAddress& destination) {
  ++finds;
  if (!known_) return std::nullopt;
  return LinkTo(destination);
}

char PatternAt(StreamId id, StreamOffset offset) {
  return static_cast<char>((offset * 131 + id * 17 + (offset >> 8)) & 0xff);
}

bool HasPattern(StreamId id, const std::string& bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != PatternAt(id, i)) return false;
  }
  return true;
}

TestHost::TestHost(TestNetwork* network, const DriverConfig& config, std::vector<LaneInfo> lanes,
                   uint64_t seed)
    : network_(network), config_(config) {
  for (size_t i = 0; i < lanes.size(); ++i) {
    lanes[i].index = static_cast<uint32_t>(i);
    lanes_.push_back(std::make_unique<FakeLane>(
        lanes[i], [network](FrameBytes frame) { network->OnSubmit(std::move(frame)); }));
    lane_pointers_.push_back(lanes_.back().get());
  }
  Restart(seed);
}

void TestHost::Restart(uint64_t seed) {
  driver_.reset();
  rng_ = std::make_unique<SeededRng>(seed);
  driver_ = std::make_unique<Driver>(config_, lane_pointers_, &streams_, &hops_, rng_.get(),
                                     network_->now());
  events.clear();
}

TestStream& TestHost::AddStream(SessionHandle session, StreamId id, size_t bytes) {
  auto& stream = *test_streams_.emplace_back(std::make_unique<TestStream>());
  stream.ring.resize(kRingSize);
  stream.acknowledged.resize(kRingSize);
  EXPECT_LE(bytes, kRingSize);
  for (size_t i = 0; i < bytes; ++i) stream.ring[i] = static_cast<std::byte>(PatternAt(id, i));
  stream.handle = *streams_.Acquire();
  StreamEntry& entry = *streams_.Find(stream.handle);
  entry.session = session;
  entry.id = id;
  entry.send = RingView{stream.ring.data(), stream.ring.size()};
  entry.receive_limit = kRingSize;
  entry.source_port = 1000;
  entry.destination_port = 2000;
  return stream;
}

void TestHost::SendAll(TestStream& stream, SessionHandle session, size_t bytes, size_t piece,
                       bool fin) {
  size_t offset = 0;
  const bool done = network_->RunUntil([&] {
    const auto channels = driver_->Channels(session);
    for (size_t refused = 0, turn = 0; offset < bytes && refused < channels.size(); ++turn) {
      const size_t length = std::min(piece, bytes - offset);
      Segment segment;
      segment.stream = stream.handle;
      segment.offset = offset;
      segment.length = static_cast<uint32_t>(length);
      segment.fin = fin && offset + length == bytes;
      const auto channel = static_cast<uint8_t>(turn % channels.size());
      if (driver_->Enqueue(network_->now(), session, channel, segment)) {
        offset += length;
        refused = 0;
      } else {
        ++refused;
      }
    }
    return offset == bytes;
  });
  EXPECT_TRUE(done) << "enqueued " << offset << " of " << bytes;
}

void TestHost::OnFrame(const FrameBytes& frame) {
  if (driver_ == nullptr) return;
  // In two chunks where it is long enough, as a multi-buffer device gives it.
  RxPacket packet;
  packet.length = static_cast<uint32_t>(frame.size());
  const size_t first = std::min(frame.size(), kMinFirstChunk);
  packet.chunks[packet.chunk_count++] = absl::MakeConstSpan(frame).first(first);
  if (first < frame.size()) {
    packet.chunks[packet.chunk_count++] = absl::MakeConstSpan(frame).subspan(first);
  }
  const ParsedFrame parsed = ParseFrame(frame);
  const int lane = parsed.datagram.destination.port - config_.base_port;
  const bool ours = lane >= 0 && lane < static_cast<int>(lanes_.size());
  std::vector<Delivery> out;
  driver_->OnPacket(network_->now(), ours ? static_cast<uint32_t>(lane) : 0, packet, out);
  TakeDeliveries(out);
  TakeEvents();
}

void TestHost::TakeDeliveries(const std::vector<Delivery>& out) {
  for (const Delivery& delivery : out) {
    if (delivery.type != wire::RecordType::kData) {
      control.push_back(delivery);
      continue;
    }
    Arrived& to = arrived[delivery.stream];
    if (to.bytes.size() < delivery.offset + delivery.length) {
      to.bytes.resize(delivery.offset + delivery.length);
    }
    size_t at = delivery.offset;
    for (uint32_t i = 0; i < delivery.payload_count; ++i) {
      std::memcpy(to.bytes.data() + at, delivery.payload[i].data(), delivery.payload[i].size());
      at += delivery.payload[i].size();
    }
    EXPECT_EQ(at, delivery.offset + delivery.length);
    to.new_bytes += delivery.length;
    to.fin |= delivery.fin;
  }
}

void TestHost::TakeEvents() {
  while (const auto event = driver_->PollEvent()) {
    if (event->kind == DriverEvent::Kind::kAcknowledged) TakeAcknowledged(event->segment);
    events.push_back(*event);
  }
}

void TestHost::TakeAcknowledged(const Segment& segment) {
  for (const auto& stream : test_streams_) {
    if (stream->handle != segment.stream) continue;
    for (size_t at = segment.offset; at < segment.offset + segment.length; ++at) {
      acknowledged_bytes += stream->acknowledged[at] ? 0 : 1;
      stream->acknowledged[at] = true;
    }
  }
}

void TestHost::Step() {
  if (driver_ == nullptr) return;
  if (network_->now() >= driver_->NextTimeout()) driver_->OnTimer(network_->now());
  TakeEvents();
  for (int i = 0; i < 100 && driver_->PollTransmit(network_->now(), 64) == 64; ++i) {
  }
  TakeEvents();
}

size_t TestHost::CountEvents(DriverEvent::Kind kind) const {
  return static_cast<size_t>(std::count_if(events.begin(), events.end(),
                                           [&](const DriverEvent& e) { return e.kind == kind; }));
}

std::optional<int> TestHost::DownError(SessionHandle session) const {
  for (const DriverEvent& event : events) {
    if (event.kind == DriverEvent::Kind::kSessionDown && event.session == session) {
      return event.error;
    }
  }
  return std::nullopt;
}

bool TestHost::SawUp(SessionHandle session) const {
  return std::any_of(events.begin(), events.end(), [&](const DriverEvent& e) {
    return e.kind == DriverEvent::Kind::kSessionUp && e.session == session;
  });
}

SessionHandle TestHost::UpSession() const {
  EXPECT_EQ(CountEvents(DriverEvent::Kind::kSessionUp), 1u);
  for (const DriverEvent& event : events) {
    if (event.kind == DriverEvent::Kind::kSessionUp) return event.session;
  }
  return {};
}

uint64_t TestHost::TotalDrops() const {
  uint64_t total = 0;
  for (size_t i = 0; i < static_cast<size_t>(DropReason::kCount); ++i) {
    total += driver_->drops(static_cast<DropReason>(i));
  }
  return total;
}

std::vector<LaneInfo> TestNetwork::TwoLanes() {
  LaneInfo latency, throughput;
  latency.app_class = static_cast<uint8_t>(AppClass::kLatency);
  latency.rx_capacity = throughput.rx_capacity = 1024;
  return {latency, throughput};
}

TestHost& TestNetwork::AddHost(const std::function<void(DriverConfig&)>& adjust,
                               std::vector<LaneInfo> lanes) {
  DriverConfig config;
  config.addresses = wire::IpAddress::V4(0x0a000001 + static_cast<uint32_t>(hosts_.size()));
  config.base_port = kBasePort;
  config.connection.user_timeout = Duration::Seconds(2);
  if (adjust) adjust(config);
  hosts_.push_back(
      std::make_unique<TestHost>(this, config, std::move(lanes), 1000 + hosts_.size()));
  return *hosts_.back();
}

void TestNetwork::OnSubmit(FrameBytes frame) {
  if (filter && !filter(frame)) return;
  if (keep_log) log.push_back(frame);
  frames_.push_back({now_ + kDelay, std::move(frame)});
}

void TestNetwork::DeliverDue() {
  while (!frames_.empty() && frames_.front().arrival <= now_) {
    const FrameBytes frame = std::move(frames_.front().frame);
    frames_.pop_front();
    const ParsedFrame parsed = ParseFrame(frame);
    for (const auto& host : hosts_) {
      if (host->config().addresses.Has(parsed.datagram.destination.address)) host->OnFrame(frame);
    }
  }
}

Time TestNetwork::NextEvent() {
  Time next = frames_.empty() ? Time::Infinite() : frames_.front().arrival;
  for (const auto& host : hosts_) {
    if (host->driver_ != nullptr) next = std::min(next, host->driver_->NextTimeout());
  }
  return std::max(next, now_);
}

bool TestNetwork::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Time end = now_ + limit;
  for (;;) {
    if (done()) return true;
    for (const auto& host : hosts_) host->Step();
    if (done()) return true;
    const Time next = NextEvent();
    if (next > end) break;
    // A driver that has work at once still takes time.
    now_ = std::max(next, now_ + Duration::Nanos(100));
    DeliverDue();
  }
  now_ = end;
  return done();
}

void TestNetwork::RunFor(Duration d) {
  RunUntil([] { return false; }, d);
}

ParsedFrame ParseFrame(const FrameBytes& frame) {
  ParsedFrame parsed;
  const auto bytes = absl::MakeConstSpan(frame);
  if (wire::ParseDatagram(bytes, bytes.size(), &parsed.datagram) == wire::DatagramError::kNone) {
    parsed.packet = bytes.subspan(parsed.datagram.payload_offset, parsed.datagram.payload_length);
  }
  return parsed;
}

bool IsType(const FrameBytes& frame, wire::PacketType type) {
  const ParsedFrame parsed = ParseFrame(frame);
  return parsed.packet.size() >= wire::kHeaderSize && parsed.type() == static_cast<uint8_t>(type);
}

FrameBytes MakeFrame(const wire::IpEndpoint& from, const wire::IpEndpoint& to, wire::Bytes packet) {
  const LinkHeader link = LinkTo(to.address);
  const wire::DatagramHeader headers(wire::Bytes(link.bytes.data(), link.length), from, to);
  FrameBytes frame(headers.size() + packet.size());
  wire::Checksum sum;
  sum.AddCopy(frame.data() + headers.size(), packet);
  headers.Write(absl::MakeSpan(frame), packet.size(), sum, 0);
  return frame;
}

FrameBytes Forge(const FrameBytes& frame,
                 const std::function<void(std::vector<std::byte>& packet)>& change) {
  const ParsedFrame parsed = ParseFrame(frame);
  std::vector<std::byte> packet(parsed.packet.begin(), parsed.packet.end());
  change(packet);
  return MakeFrame(parsed.datagram.source, parsed.datagram.destination, packet);
}

}  // namespace netchannel
