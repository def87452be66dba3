// SPDX-License-Identifier: Apache-2.0
//
// Operations of a driver, of a network and of a forger, in any order, on two transports. Whatever
// happens: nothing crashes, nothing is reported as acknowledged that the peer does not have (unless
// someone forged), all that a packet must not exceed holds, and when the network is kind again, all
// that was enqueued is acknowledged.
#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/interval_set.h"
#include "base/rng.h"
#include "fuzz_target.h"
#include "transport/connection.h"

namespace netchannel::fuzz {
namespace {

using transport::Connection;
using transport::ConnectionConfig;
using transport::ConnectionState;

constexpr size_t kMaxOperations = 400;
constexpr size_t kMaxInFlight = 2000;  // packets that the network holds; more are lost
constexpr ByteCount kDevicePayload = 65000;
constexpr uint32_t kStreams = 4;
constexpr uint32_t kMaxBurst = 4096;  // packets of one visit; the window is far below
// Packets beyond the window: two for each doubling of the probe timeout, from a millisecond to the
// user timeout, and those that probe the path MTU.
constexpr ByteCount kProbes = 64;
constexpr int kMaxTimersAtOnce = 4;
constexpr Duration kTurn = Duration::Micros(10);
constexpr int kMaxFinishTurns = 20000;  // timers and packets until all is acknowledged

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  uint8_t Take() { return empty() ? 0 : data_[at_++]; }
  uint32_t Take16() { return Take() | Take() << 8; }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

struct Packet {
  PacketNumber number = 0;
  bool ack_eliciting = false;
  bool ack_now = false;
  bool ecn_capable = false;
  std::optional<wire::Ack> ack;
  std::vector<Segment> segments;
};

ByteCount SizeOf(const Packet& packet, const transport::PacketPlan& plan) {
  ByteCount bytes = wire::kHeaderSize + (plan.ping ? wire::kPingRecordSize : 0);
  if (packet.ack) {
    bytes += wire::kAckRecordFixedSize + packet.ack->range_count * wire::kAckRangeSize;
  }
  for (const Segment& segment : packet.segments) {
    if (segment.kind == SegmentKind::kData) {
      bytes += wire::kDataRecordHeaderSize + segment.length +
               (segment.with_open ? wire::kOpenRecordSize : 0);
    } else {
      bytes += segment.kind == SegmentKind::kReset ? wire::kResetRecordSize : wire::kOpenRecordSize;
    }
  }
  return bytes;
}

// What one end has of each stream.
class Ledger {
 public:
  void Add(const Segment& segment) {
    if (segment.kind != SegmentKind::kData) {
      controls_.push_back({segment.kind, segment.stream.slot});
      return;
    }
    Stream& stream = Of(segment);
    Require(stream.bytes.Add(segment.offset, segment.offset + segment.length), "room for gaps");
    stream.fin |= segment.fin;
  }
  bool Has(const Segment& segment) const {
    if (segment.kind != SegmentKind::kData) {
      const std::pair<SegmentKind, uint32_t> control(segment.kind, segment.stream.slot);
      return std::find(controls_.begin(), controls_.end(), control) != controls_.end();
    }
    const auto stream = streams_.find(segment.stream.slot);
    if (stream == streams_.end()) return segment.length == 0 && !segment.fin;
    return stream->second.bytes.ContainsAll(segment.offset, segment.offset + segment.length) &&
           (!segment.fin || stream->second.fin);
  }

 private:
  struct Stream {
    IntervalSet bytes{1 << 16};
    bool fin = false;
  };
  Stream& Of(const Segment& segment) { return streams_[segment.stream.slot]; }

  std::map<uint32_t, Stream> streams_;
  std::vector<std::pair<SegmentKind, uint32_t>> controls_;
};

struct End {
  explicit End(const ConnectionConfig& config, Time now) : connection(config, now) {}

  Connection connection;
  uint64_t written[kStreams] = {};
  bool finished[kStreams] = {};
  uint64_t total = 0;             // bytes of all streams
  std::vector<Segment> enqueued;  // accepted, and not given away
  Ledger received;
  Ledger acknowledged;
  std::deque<Packet> wire;  // towards the peer
};

ConnectionConfig ConfigOf(Bytes& in) {
  const uint8_t bits = in.Take();
  ConnectionConfig config;
  config.congestion =
      bits & 1 ? transport::CongestionAlgorithm::kDctcp : transport::CongestionAlgorithm::kCubic;
  config.pacing = bits & 2;
  config.max_packet_size = bits & 4 ? 8972 : bits & 8 ? 65507 : 1472;
  config.max_packets_in_flight = bits & 16 ? 16 : 256;
  config.max_queued_segments = bits & 32 ? 16 : 1024;
  config.ack_threshold = bits & 64 ? 1 : 16;
  config.max_ack_delay = bits & 128 ? Duration::Zero() : Duration::Micros(250);
  return config;
}

class Game {
 public:
  explicit Game(Bytes in) : in_(in), now_(Time::FromNanos(1'000'000'000)), config_(ConfigOf(in_)) {
    for (auto& end : ends_) end.emplace(config_, now_);
  }

  void Play() {
    for (size_t i = 0; i < kMaxOperations && !in_.empty(); ++i) {
      side_ = in_.Take() % 2;
      One(in_.Take() % 16);
      Check();
    }
    if (!forged_) Finish();
  }

 private:
  End& own() { return *ends_[side_]; }
  End& peer() { return *ends_[1 - side_]; }

  void One(uint8_t operation);
  void EnqueueData();
  void EnqueueControl();
  // Returns how many packets were sent.
  uint32_t Transmit(uint32_t most, bool scarce_buffers);
  void Deliver(size_t index);
  void DeliverAll();
  void Drain();
  void ForgeAck();
  void GiveAway();
  void Check();
  void Finish();
  bool AllAcknowledged() const;
  void AdvanceTo(Time at);
  size_t AnyPacket() { return in_.Take16() % own().wire.size(); }

  Bytes in_;
  Time now_;
  const ConnectionConfig config_;
  std::optional<End> ends_[2];
  int side_ = 0;
  bool forged_ = false;  // an ACK was invented: what is "acknowledged" may be lost
};

void Game::One(uint8_t operation) {
  std::deque<Packet>& wire = own().wire;
  switch (operation) {
    case 0:
    case 1:
      return EnqueueData();
    case 2:
      return EnqueueControl();
    case 3:
    case 4:
      Transmit(in_.Take(), false);
      return;
    case 5:
      Transmit(in_.Take(), true);
      return;
    case 6:
      if (!wire.empty()) Deliver(0);
      return;
    case 7:
      return DeliverAll();
    case 8:  // reordered
      if (!wire.empty()) Deliver(AnyPacket());
      return;
    case 9:  // lost
      if (!wire.empty()) wire.erase(wire.begin() + static_cast<ptrdiff_t>(AnyPacket()));
      return;
    case 10:  // all lost
      wire.clear();
      return;
    case 11:  // duplicated
      if (!wire.empty() && wire.size() < kMaxInFlight) wire.push_back(wire[AnyPacket()]);
      return;
    case 12:
      return AdvanceTo(now_ + Duration::Micros(in_.Take()));
    case 13:
      return AdvanceTo(now_ + Duration::Millis(in_.Take()));
    case 14:
      if (in_.Take() % 4 == 0) ForgeAck();
      return;
    case 15:
      if (in_.Take() % 16 == 0) GiveAway();
      return;
  }
}

void Game::EnqueueData() {
  const uint32_t stream = in_.Take() % kStreams;
  if (own().finished[stream]) return;
  Segment segment;
  segment.stream = {stream, 1};
  segment.offset = own().written[stream];
  segment.length = in_.Take16();
  segment.fin = in_.Take() % 16 == 0;
  segment.with_open = in_.Take() % 8 == 0;
  if (segment.length == 0 && !segment.fin) return;
  if (!own().connection.Enqueue(segment)) return;
  own().written[stream] += segment.length;
  own().total += segment.length;
  own().finished[stream] = segment.fin;
  own().enqueued.push_back(segment);
}

void Game::EnqueueControl() {
  Segment segment;
  segment.kind = static_cast<SegmentKind>(1 + in_.Take() % 4);
  segment.stream = {in_.Take() % kStreams, 1};
  if (own().connection.Enqueue(segment)) own().enqueued.push_back(segment);
}

uint32_t Game::Transmit(uint32_t most, bool scarce_buffers) {
  Connection& connection = own().connection;
  uint32_t sent = 0;
  for (; sent < most; ++sent) {
    const auto plan = connection.PollTransmit(now_, kDevicePayload);
    if (!plan) break;
    Packet packet;
    packet.number = plan->number;
    packet.ack_now = plan->ack_now;
    packet.ecn_capable = plan->ecn_capable;
    packet.segments.assign(plan->segments.begin(), plan->segments.end());
    packet.ack_eliciting = plan->ping || !packet.segments.empty();
    if (scarce_buffers && in_.Take() % 4 == 0) {
      connection.OnNotSent(plan->number);
      break;
    }
    if (plan->ack) packet.ack = connection.BuildAck(now_);
    const ByteCount bytes = SizeOf(packet, *plan);
    Require(plan->ack || packet.ack_eliciting || plan->pad_to > 0, "no packet says nothing");
    Require(bytes <= std::max(connection.packet_size(), plan->pad_to), "a packet fits the path");
    Require(std::max(bytes, plan->pad_to) <= config_.max_packet_size, "a packet fits the link");
    connection.OnSent(now_, plan->number, std::max(bytes, plan->pad_to));
    if (own().wire.size() < kMaxInFlight) own().wire.push_back(std::move(packet));
  }
  return sent;
}

void Game::Deliver(size_t index) {
  const auto at = own().wire.begin() + static_cast<ptrdiff_t>(index);
  const Packet packet = std::move(*at);
  own().wire.erase(at);
  const auto ecn = packet.ecn_capable
                       ? (in_.Take() % 8 == 1 ? transport::Ecn::kCe : transport::Ecn::kEct0)
                       : transport::Ecn::kNotEct;
  Connection& to = peer().connection;
  if (to.OnPacket(now_, packet.number, {packet.ack_eliciting, packet.ack_now, ecn}) !=
      transport::Receipt::kNew) {
    return;
  }
  for (const Segment& segment : packet.segments) peer().received.Add(segment);
  if (!packet.ack) return;
  const bool accepted = to.OnAck(now_, *packet.ack);
  Require(accepted || forged_, "an honest ACK is accepted");
  side_ = 1 - side_;
  Drain();
  side_ = 1 - side_;
}

void Game::DeliverAll() {
  while (!own().wire.empty()) Deliver(0);
}

// What own() learns to be acknowledged.
void Game::Drain() {
  while (const auto segment = own().connection.PollAcked()) {
    Require(forged_ || peer().received.Has(*segment), "acknowledged is what the peer has");
    own().acknowledged.Add(*segment);
  }
}

void Game::ForgeAck() {
  wire::Ack ack;
  ack.largest = in_.Take16();
  ack.first_length = in_.Take16() % 512;
  ack.range_count = static_cast<uint8_t>(in_.Take() % (wire::kMaxAckRanges + 1));
  for (uint8_t i = 0; i < ack.range_count; ++i)
    ack.ranges[i] = {in_.Take16() % 64, in_.Take16() % 64};
  ack.ce_count = in_.Take16();
  const ByteCount in_flight = own().connection.bytes_in_flight();
  if (own().connection.OnAck(now_, ack)) {
    forged_ = true;
    Drain();
  } else {
    Require(own().connection.bytes_in_flight() == in_flight, "a refused ACK changes nothing");
    Require(!own().connection.PollAcked().has_value(), "a refused ACK acknowledges nothing");
  }
}

// The channel fails: another one takes over what is not acknowledged.
void Game::GiveAway() {
  Ledger known = own().acknowledged;
  while (const auto segment = own().connection.TakeUnacknowledged()) known.Add(*segment);
  for (const Segment& segment : own().enqueued) {
    Require(forged_ || known.Has(segment), "nothing is forgotten");
  }
  own().enqueued.clear();
  Require(own().connection.queued_bytes() == 0 && own().connection.bytes_in_flight() == 0,
          "a channel that gave all away holds nothing");
}

// Timers without a chance to transmit in between, as for a caller without buffers.
void Game::AdvanceTo(Time at) {
  for (int turn = 0; turn < kMaxTimersAtOnce; ++turn) {
    for (auto& end : ends_) {
      const Time due = end->connection.NextTimeout();
      if (due > at) continue;
      now_ = std::max(now_, due);
      end->connection.OnTimer(now_);
    }
  }
  now_ = at;
}

void Game::Check() {
  for (const auto& end : ends_) {
    Require(end->connection.queued_bytes() <= end->total, "no more is queued than was enqueued");
    Require(end->connection.bytes_in_flight() <=
                (config_.max_packets_in_flight + kProbes) * config_.max_packet_size,
            "no more is in flight than the peer has room for");
  }
}

bool Game::AllAcknowledged() const {
  for (const auto& end : ends_) {
    for (const Segment& segment : end->enqueued) {
      if (!end->acknowledged.Has(segment)) return false;
    }
  }
  return true;
}

// The network loses nothing any more.
void Game::Finish() {
  for (int turn = 0; turn < kMaxFinishTurns; ++turn) {
    size_t moved = 0;
    for (side_ = 0; side_ < 2; ++side_) {
      if (own().connection.state() == ConnectionState::kDead) return;
      Require(Transmit(kMaxBurst, false) < kMaxBurst, "a burst has an end");
      moved += own().wire.size();
      DeliverAll();
    }
    if (AllAcknowledged()) return;
    now_ = now_ + kTurn;
    if (moved > 0) continue;  // what it brought about is asked for first
    const Time next =
        std::min(ends_[0]->connection.NextTimeout(), ends_[1]->connection.NextTimeout());
    Require(!next.is_infinite(), "who waits for an acknowledgement has a timer");
    AdvanceTo(std::max(now_, next));
  }
  Require(false, "what was enqueued is acknowledged in the end");
}

}  // namespace

std::vector<Input> FuzzSeeds() {
  // Two bytes an operation (side, number) and its arguments; see Game::One.
  const std::vector<std::vector<uint8_t>> games = {
      // data both ways, an honest network
      {0, 0,   0, 0, 0, 40, 1, 1,  1,   0, 1, 255, 255, 1, 0,   0, 3, 200, 1,
       3, 200, 0, 7, 1, 7,  0, 12, 250, 0, 3, 255, 1,   3, 255, 0, 7, 1,   7},
      // losses, reordering, duplicates, time
      {2, 0, 0, 0, 255, 255, 1, 1, 0, 3, 40,  0, 9,  3, 0,  0,   9, 5, 0, 0, 8, 7, 0, 0, 11, 2,
       0, 0, 7, 1, 3,   9,   1, 7, 0, 3, 200, 0, 10, 0, 13, 250, 0, 3, 9, 0, 7, 1, 3, 9, 1,  7},
      // control segments, a device without buffers, a channel that gives all away
      {20, 0, 2, 3, 1, 0, 2, 0, 2,  0, 1, 2, 255, 9,  1,  1, 0, 5, 9, 1,  1, 1, 0,
       0,  7, 1, 5, 9, 1, 1, 0, 15, 0, 0, 1, 3,   99, 99, 1, 1, 0, 3, 50, 0, 7},
      // forged acknowledgements
      {4, 0, 0, 0, 255, 255, 1, 1, 0, 3, 60, 0, 14, 0, 9,
       0, 4, 0, 0, 0,   0,   7, 1, 3, 9, 1,  7, 0,  3, 9},
  };
  std::vector<Input> seeds;
  for (const auto& game : games) {
    Input& seed = seeds.emplace_back();
    for (const uint8_t byte : game) seed.push_back(std::byte{byte});
  }
  SeededRng rng(12);
  for (int i = 0; i < 24; ++i) {
    Input& seed = seeds.emplace_back();
    for (int j = 0; j < 700; ++j) seed.push_back(static_cast<std::byte>(rng.Next()));
  }
  return seeds;
}

}  // namespace netchannel::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  netchannel::fuzz::Game(netchannel::fuzz::Bytes(data, size)).Play();
  return 0;
}
