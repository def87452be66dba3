// SPDX-License-Identifier: Apache-2.0
//
// Operations of applications, of the network and of hostile peers, in any order, on two hosts'
// virtual sockets. Whatever happens: bytes that are read are the bytes that were written there,
// nothing crashes, and when all is closed and time has passed, all memory is back.
#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "../unit/vns/fake_network.h"
#include "fuzz_target.h"

namespace netchannel::fuzz {
namespace {

constexpr size_t kMaxOperations = 200;
constexpr size_t kMaxSockets = 24;  // a host's applications have at once
constexpr uint32_t kOwners = 2;

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  uint8_t Take() { return empty() ? 0 : data_[at_++]; }
  uint64_t Take16() { return Take() | Take() << 8; }
  uint64_t Take64() {  // often small, sometimes at an end of the range
    const uint8_t kind = Take();
    const uint64_t value = Take16();
    return kind < 200 ? value : kind < 230 ? ~uint64_t{0} - value : uint64_t{1} << (value % 64);
  }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

FakeNetwork::Options OptionsOf(Bytes& in) {
  const uint8_t faults = in.Take();
  FakeNetwork::Options options;
  options.ring_bytes = 16 * 1024;
  options.initial_window = 16 * 1024;
  options.max_sockets = 32;
  options.max_streams = 40;
  options.seed = in.Take();
  options.packet_bytes = 100 + in.Take() * 8u;
  options.faults = {.reorder = faults & 1 ? 0.5 : 0,
                    .duplicate = faults & 2 ? 0.2 : 0,
                    .loss = faults & 4 ? 0.2 : 0};
  return options;
}

class Game {
 public:
  explicit Game(Bytes in) : in_(in), hostile_(in_.Take() % 4 == 0), net_(OptionsOf(in_)) {
    net_.a.port.SetChannels(1 + in_.Take() % 3, in_.Take() % 2);
    net_.a.port.limit = net_.b.port.limit = 1000 + in_.Take() * 100u;
  }

  void Play() {
    for (size_t i = 0; i < kMaxOperations && !in_.empty(); ++i) {
      side_ = in_.Take() % 2;
      One(in_.Take() % 19);
      while (host().layer->PollChanged().has_value()) {
      }
    }
    Finish();
  }

 private:
  struct Side {
    std::vector<SocketId> sockets;
  };
  FakeHost& host() { return side_ == 0 ? net_.a : net_.b; }
  std::vector<SocketId>& sockets() { return sides_[side_].sockets; }
  SocketId Any() {
    const uint8_t pick = in_.Take();
    return sockets().empty() ? pick : sockets()[pick % sockets().size()];
  }
  bool HasSocket() const { return !sides_[side_].sockets.empty(); }

  void One(uint8_t operation);
  void Create();
  void Accept();
  void Write();
  void Read();
  void SetOptions();
  void Close();
  void CloseAll();
  void Breach();
  void Hostile();
  void Finish();

  // Of one direction of a connection; both ends know its writer's and its reader's port.
  uint64_t SaltOf(SocketId socket, bool writing) {
    const SocketView& view = host().View(socket);
    const uint64_t writer = writing ? view.local.port : view.peer.port;
    const uint64_t reader = writing ? view.peer.port : view.local.port;
    return writer * 70001 + reader * 13 + (writing == (side_ == 0) ? 0 : 7);
  }

  Bytes in_;
  bool hostile_;
  FakeNetwork net_;
  Side sides_[2];
  int side_ = 0;
};

void Game::One(uint8_t operation) {
  SocketLayer& layer = *host().layer;
  switch (operation) {
    case 0:
    case 1:
      return Create();
    case 2: {
      const SocketId socket = Any();
      layer.Bind(socket, {in_.Take() % 4 ? host().address : wire::IpAddress{},
                          static_cast<uint16_t>(80 + in_.Take() % 3)});
      layer.Listen(socket, in_.Take() % 4);
      return;
    }
    case 3:
      layer.Connect(net_.now, Any(),
                    {net_.other(host()).address, static_cast<uint16_t>(80 + in_.Take() % 3)});
      return;
    case 4:
      return Accept();
    case 5:
    case 6:
      return Write();
    case 7:
    case 8:
      return Read();
    case 9:
      layer.Shutdown(net_.now, Any(), static_cast<SocketLayer::Direction>(1 + in_.Take() % 3));
      return;
    case 10:
      return Close();
    case 11:
      return SetOptions();
    case 12:
      net_.Run(1 + in_.Take() % 8);
      return;
    case 13:
      net_.Run(500);
      return;
    case 14:
      net_.Advance(Duration::Millis(static_cast<int64_t>(in_.Take()) * 500));
      return;
    case 15: {
      const uint8_t what = in_.Take();
      net_.hold_packets = what & 1;
      net_.hold_acks = what & 2;
      net_.hold_handshake = what & 4;
      if (what % 32 == 31) net_.BreakSession(what & 64 ? ETIMEDOUT : 0);
      return;
    }
    case 16:
      if (in_.Take() % 8 == 0) CloseAll();
      return;
    case 17:
      return Breach();
    case 18:
      if (hostile_) Hostile();
      return;
  }
}

void Game::Create() {
  if (sockets().size() >= kMaxSockets) return;
  const auto created = host().layer->Create(in_.Take() % kOwners);
  if (created.error != 0) return;
  host().apps[created.socket] = {created.buffers};
  sockets().push_back(created.socket);
}

void Game::Accept() {
  if (sockets().size() >= kMaxSockets) return;
  if (const auto accepted = host().Accept(Any())) sockets().push_back(*accepted);
}

void Game::Write() {
  if (!HasSocket()) return;
  const SocketId socket = Any();
  const SocketState state = host().View(socket).state;
  if (state != SocketState::kConnecting && state != SocketState::kConnected) return;
  const StreamOffset at = host().apps[socket].written;
  host().Write(net_.now, socket, Pattern(in_.Take16() % 20000, SaltOf(socket, true) + at));
}

void Game::Read() {
  if (!HasSocket()) return;
  const SocketId socket = Any();
  const StreamOffset at = host().apps[socket].consumed;
  const std::string got = host().Read(net_.now, socket, in_.Take16());
  if (hostile_) return;
  Require(got == Pattern(got.size(), SaltOf(socket, false) + at),
          "what is read is what was written there");
}

void Game::SetOptions() {
  SocketOptions options;
  options.app_class = in_.Take() % 2 ? AppClass::kLatency : AppClass::kThroughput;
  options.reuse_address = in_.Take() % 2;
  options.linger = in_.Take() % 4 == 0;
  options.linger_time = Duration::Seconds(in_.Take() % 2);
  options.user_timeout = Duration::Seconds(in_.Take() % 8);
  options.keepalive = in_.Take() % 2;
  options.keepalive_times = {.idle = Duration::Seconds(in_.Take() % 8),
                             .interval = Duration::Millis(in_.Take()),
                             .count = in_.Take() % 4u};
  host().layer->SetOptions(Any(), options);
}

void Game::Close() {
  if (!HasSocket()) return;
  const SocketId socket = Any();
  std::erase(sockets(), socket);
  host().Close(net_.now, socket);
}

void Game::CloseAll() {
  const uint32_t owner = in_.Take() % kOwners;
  std::erase_if(sockets(),
                [this, owner](SocketId socket) { return host().layer->OwnerOf(socket) == owner; });
  host().layer->CloseAll(net_.now, owner);
}

// Positions that only a broken application claims. Lawful ones would be believed: out of the rings'
// range.
void Game::Breach() {
  const SocketId socket = Any();
  if (!HasSocket()) {
    host().layer->OnWritten(net_.now, socket, in_.Take64());
    return;
  }
  const FakeHost::App& app = host().apps[socket];
  const uint64_t beyond = app.written + app.buffers.send.size + 1 + in_.Take64() % (1ull << 60);
  Require(host().layer->OnWritten(net_.now, socket, beyond) != 0,
          "a tail beyond the ring is refused");
  const uint64_t unread = host().View(socket).received + 1 + in_.Take64() % (1ull << 60);
  Require(host().layer->OnConsumed(net_.now, socket, unread) == EPROTO,
          "a head beyond the received bytes is refused");
}

void Game::Hostile() {
  if (!host().port.up) return;
  Delivery d;
  d.session = host().port.handle;
  d.type = static_cast<wire::RecordType>(3 + in_.Take() % 5);
  d.stream = in_.Take() % 32;
  d.offset = in_.Take64();
  d.fin = in_.Take() % 4 == 0;
  d.receive_limit = in_.Take64();
  d.source_port = static_cast<uint16_t>(in_.Take16());
  d.destination_port = static_cast<uint16_t>(80 + in_.Take() % 3);
  d.reset_code = static_cast<wire::ResetCode>(in_.Take() % 9);
  const std::vector<std::byte> payload(in_.Take16() % 2000);
  d.length = static_cast<uint32_t>(payload.size());
  d.payload[0] = payload;
  d.payload_count = 1;
  host().layer->OnDelivery(net_.now, d);
}

void Game::Finish() {
  net_.hold_packets = net_.hold_acks = net_.hold_handshake = false;
  for (side_ = 0; side_ < 2; ++side_) {
    while (HasSocket()) {
      const SocketId socket = sockets().back();
      sockets().pop_back();
      host().Close(net_.now, socket);
    }
  }
  net_.Run();
  // The longest of the timeouts, and once more for what they start.
  for (int i = 0; i < 4; ++i) net_.Advance(Duration::Seconds(61));
  for (FakeHost* h : {&net_.a, &net_.b}) {
    const SocketStats stats = h->layer->Stats();
    Require(stats.sockets == 0, "no socket is left");
    Require(stats.streams == 0 && h->streams.in_use() == 0, "no stream is left");
    Require(h->pool.in_use() == 0, "all buffers are back");
    Require(h->port.references == 0, "no session is held");
    Require(h->layer->NextTimeout().is_infinite(), "no timer is left");
    Require(hostile_ || stats.violations == 0, "nobody broke the protocol");
  }
}

}  // namespace

std::vector<Input> FuzzSeeds() {
  // Two bytes an operation (side, number) and its arguments; see Game::One.
  const std::vector<std::vector<uint8_t>> games = {
      // listen, connect, accept, write and read both ways, close
      {1, 0, 1, 40, 0,  0, 50, 1, 0, 1, 1,   2,   0,  1,  0,  3, 0,  0, 0,   0,
       3, 0, 0, 0,  13, 1, 4,  0, 0, 5, 0,   0,   10, 0,  13, 1, 7,  1, 255, 255,
       1, 6, 1, 0,  20, 0, 13, 0, 8, 0, 255, 255, 0,  10, 0,  1, 10, 1},
      // the same with faults, a half-close, and time
      {1, 7,  9, 2, 2, 1,   10,  1, 0,  1,   1,  2, 0, 1,   0,   3, 0,  0, 0,
       0, 3,  0, 0, 0, 5,   0,   0, 40, 0,   12, 5, 1, 4,   0,   0, 9,  0, 1,
       0, 13, 1, 8, 1, 255, 255, 1, 14, 200, 1,  7, 1, 255, 255, 1, 10, 1},
      // a refused connect, a reset, a broken session
      {1, 1, 3, 9, 0, 1, 90, 0, 0, 0,  0, 3,  0, 1, 0, 13, 1, 0, 0, 1,  2, 1, 1,  0, 3,  0,
       0, 1, 0, 0, 0, 3, 1,  0, 0, 13, 0, 11, 1, 0, 0, 0,  3, 1, 0, 10, 1, 0, 13, 0, 15, 31},
      // a hostile peer
      {0, 0, 5,  30, 1, 1, 80, 1,  0, 1, 1, 2,  0, 1, 0, 3, 0, 0, 0, 0, 3, 0,
       0, 0, 13, 1,  4, 0, 1,  18, 0, 2, 0, 0,  0, 1, 0, 0, 0, 5, 5, 0, 0, 100,
       0, 1, 18, 1,  8, 0, 0,  0,  0, 0, 0, 16, 9, 9, 0, 0, 0, 0, 0, 13},
  };
  std::vector<Input> seeds;
  for (const auto& game : games) {
    Input& seed = seeds.emplace_back();
    for (const uint8_t byte : game) seed.push_back(std::byte{byte});
  }
  // Long games: two connections, and then anything.
  const std::vector<uint8_t> opening = {1, 0, 1, 1, 2, 0, 1, 0,  3, 0, 0,  0, 0, 3, 0,
                                        0, 0, 0, 0, 0, 0, 3, 1,  0, 0, 12, 7, 1, 4, 0,
                                        1, 4, 0, 0, 5, 0, 0, 30, 1, 5, 1,  0, 20};
  SeededRng rng(11);
  for (int i = 0; i < 24; ++i) {
    Input& seed = seeds.emplace_back();
    for (int header = 0; header < 7; ++header) {
      seed.push_back(static_cast<std::byte>(header == 0 && i % 3 == 0 ? 0 : rng.Next() | 1));
    }
    for (const uint8_t byte : opening) seed.push_back(std::byte{byte});
    for (int j = 0; j < 600; ++j) seed.push_back(static_cast<std::byte>(rng.Next()));
  }
  return seeds;
}

}  // namespace netchannel::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  netchannel::fuzz::Game(netchannel::fuzz::Bytes(data, size)).Play();
  return 0;
}
