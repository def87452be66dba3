// SPDX-License-Identifier: Apache-2.0
//
// Two hosts' virtual sockets, joined without packets: a FakePort takes segments as a driver would,
// the FakeNetwork cuts them into packets, builds each from the stream table when it is sent, and
// hands it to the other host as deliveries; then the sender learns that it was acknowledged.
// Reliable and unordered as the transport is; with faults, packets overtake each other, come twice
// (the second time perhaps much later), or are lost and built anew. One seed decides everything.
//
// Thread: one. Time is a number that tests move.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/rng.h"
#include "netdriver/session_port.h"
#include "netdriver/stream_table.h"
#include "netscheduler/scheduler.h"
#include "vns/socket_layer.h"
#include "vns/status.h"

namespace netchannel {

struct NetworkFaults {
  double reorder = 0;    // a packet is taken from anywhere in its queue
  double duplicate = 0;  // a packet comes again, some time later
  double loss = 0;       // a packet is built and sent anew
};

struct FakePacket {
  Segment segment;
  std::vector<Delivery> deliveries;  // OPEN in front of data, where asked for
  std::vector<std::byte> payload;
};

// One host's side of the sessions. There is one peer.
class FakePort final : public SessionPort {
 public:
  absl::StatusOr<SessionHandle> Connect(Time now, const wire::IpEndpoint& peer) override;
  absl::StatusOr<SessionHandle> Probe(Time now, const wire::IpEndpoint& peer) override;
  std::optional<Absence> AbsenceOf(Time, const wire::IpEndpoint&) override { return absence; }
  bool IsUp(SessionHandle session) const override { return up && session == handle; }
  void AddReference(SessionHandle) override { ++references; }
  void DropReference(Time, SessionHandle) override { --references; }
  std::optional<Time> LastHeard(SessionHandle session) const override;
  void Ping(Time now, SessionHandle session) override;
  std::optional<wire::IpEndpoint> PeerOf(SessionHandle session) const override;
  StreamId StreamRole(SessionHandle) const override { return role; }
  absl::Span<const ChannelInfo> Channels(SessionHandle session) override;
  bool Enqueue(Time now, SessionHandle session, uint8_t channel, const Segment& segment) override;

  void SetChannels(int throughput, int latency);
  size_t queued() const;

  SessionHandle handle;
  bool wanted = false;  // Connect was called
  bool up = false;
  StreamId role = 0;
  wire::IpEndpoint peer;
  ByteCount limit = 256 * 1024;  // of each channel
  int references = 0;
  std::optional<absl::Status> refuse_connect;
  std::optional<Absence> absence;
  int probes = 0;
  Time heard;  // the last time that anything came from the peer
  bool peer_silent = false;
  std::vector<Time> pings;
  std::vector<ChannelInfo> channels;
  std::vector<std::deque<Segment>> queues;  // by channel
  std::vector<Segment> enqueued_log;        // everything that was ever taken
};

// Rings from the heap; counts what is out.
class TestPool final : public BufferPool {
 public:
  explicit TestPool(uint64_t ring_bytes) : ring_bytes_(ring_bytes) {}
  std::optional<SocketBuffers> Allocate(uint32_t owner) override;
  void Free(uint32_t owner, const SocketBuffers& buffers) override;
  size_t in_use() const { return rings_.size(); }
  uint32_t capacity = 1 << 20;

 private:
  uint64_t ring_bytes_;
  uint32_t next_slot_ = 0;
  std::unordered_map<uint32_t, std::unique_ptr<std::byte[]>> rings_;
};

// A host and the applications on it.
struct FakeHost {
  // `address`: the one of its addresses by which the other host knows it.
  FakeHost(const wire::IpAddress& address, SocketLayerConfig config, uint64_t ring_bytes,
           uint32_t max_streams, uint64_t seed);

  // Applications' calls, with the ring positions kept here as the client library keeps them.
  SocketId Create(uint32_t owner = 1);
  SocketId Listen(uint16_t port, uint32_t backlog = 16);
  SocketId Connect(Time now, const wire::IpEndpoint& peer, int expected = 115 /* EINPROGRESS */);
  std::optional<SocketId> Accept(SocketId listener);
  // Writes what fits; returns how much.
  size_t Write(Time now, SocketId socket, std::string_view bytes);
  std::string Read(Time now, SocketId socket, size_t max = 1 << 30);
  void Close(Time now, SocketId socket);
  const SocketView& View(SocketId socket) { return *layer->View(socket); }
  bool AtEnd(SocketId socket);  // everything is read, and the peer has finished
  std::vector<SocketId> Changed();

  struct App {
    SocketBuffers buffers;
    StreamOffset written = 0, consumed = 0;
  };
  wire::IpAddress address;
  SeededRng rng;
  StreamTable streams;
  TestPool pool;
  FakePort port;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<SocketLayer> layer;
  std::unordered_map<SocketId, App> apps;
};

class FakeNetwork {
 public:
  struct Options {
    uint64_t ring_bytes = 64 * 1024;
    ByteCount initial_window = 32 * 1024;
    uint32_t max_sockets = 1024;
    uint32_t max_streams = 4096;
    uint64_t seed = 1;
    NetworkFaults faults = {};
    size_t packet_bytes = 1400;
    bool automatic = false;  // SocketLayerConfig::automatic_class
    bool ipv6 = false;  // of the session between the two; the hosts have addresses of both families
  };
  FakeNetwork() : FakeNetwork(Options()) {}
  explicit FakeNetwork(const Options& options);

  // Pumps, delivers and acknowledges until nothing moves, or `rounds` are over.
  void Run(int rounds = 100000);
  // One round; true when something moved.
  bool Round();
  // Sends what is queued, delivers nothing.
  void PumpAndSend();
  void Advance(Duration by);  // lets time pass, with timers
  // The session breaks: both ends are told, what was on its way is gone.
  void BreakSession(int error);

  // A connected pair: client on a, server on b, with a listener on port 80 of b.
  struct Pair {
    SocketId client, server, listener;
  };
  Pair Connected();

  FakeHost& other(const FakeHost& host) { return &host == &a ? b : a; }
  wire::IpEndpoint server_endpoint() const { return {b.address, 80}; }
  bool idle() const;  // nothing on its way

  Options options;
  Time now = Time::FromNanos(1'000'000'000);
  SeededRng rng;
  FakeHost a, b;
  bool hold_handshake = false;  // sessions stay down
  bool hold_packets = false;    // what is sent stays on the wire
  bool hold_acks = false;

  struct Wire {
    std::deque<FakePacket> packets;
    std::deque<FakePacket> late;  // duplicates to come
    std::deque<Segment> acks;     // for the sender
  };
  Wire wires[2];  // from a, from b

 private:
  bool Establish();
  bool Send(FakeHost& from, Wire& wire);
  bool Deliver(FakeHost& from, Wire& wire);
  bool Acknowledge(FakeHost& from, Wire& wire);
  std::optional<FakePacket> Build(FakeHost& from, const Segment& segment);
  void HandOver(FakeHost& to, FakePacket& packet);
  uint32_t generation_ = 0;
};

// `length` bytes whose value depends on their offset, so that a byte out of place shows.
std::string Pattern(size_t length, uint64_t offset = 0);

}  // namespace netchannel
