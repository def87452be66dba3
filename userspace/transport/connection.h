// SPDX-License-Identifier: Apache-2.0
//
// One channel's reliability, without I/O: numbers packets, remembers what each carried until it is
// acknowledged, detects loss, decides when and how much may be sent. Delivery is reliable and
// unordered (a lost packet delays only what it carried); order within a stream comes from offsets,
// above.
//
// It never sees a frame, a socket, a clock or a thread: time is an argument, the bytes of a packet
// are the caller's. The caller
//   1. Enqueue()s segments;
//   2. while PollTransmit() gives a plan, builds that packet, sends it, and calls OnSent();
//   3. hands every packet that arrives to OnPacket(), and its ACK record to OnAck();
//   4. calls OnTimer() once NextTimeout() has passed, and then 2. again; NextTimeout() must be
//   asked
//      again after any other call;
//   5. drains PollAcked() after OnAck().
//
// Packet numbers and ACK ranges follow RFC 9000 section 13, loss detection and PTO RFC 9002 with
// RFC 8985's adaptive reordering window, path MTU RFC 8899. Congestion control is behind
// transport/congestion_controller.h; a loss that is rare and comes without a queue is repaired, but
// is not taken for congestion (transport/loss_budget.h).
//
// Thread: one at a time. Memory: under 2 KB for a connection that never sent; allocated as it is
// needed, and then kept, so that steady state allocates nothing. Bounds: for each of
// max_packets_in_flight 8 packet records of 32 bytes and 128 segments (only when packets carry
// dozens of them), and max_queued_segments. At the bound the oldest packet without a verdict counts
// as lost. Errors: state() says when the peer must be taken for dead.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/types/span.h"
#include "base/stream.h"
#include "base/units.h"
#include "transport/types.h"
#include "wire/packet_layout.h"

namespace netchannel::transport {

struct ConnectionConfig {
  CongestionAlgorithm congestion = CongestionAlgorithm::kCubic;
  // Bytes of one packet from the packet header on (UDP payload).
  ByteCount min_packet_size = 1200;  // certain to pass; RFC 9000 section 14
  ByteCount max_packet_size = 1472;  // what MTU probing may reach; min of both ends
  // Packets that the peer's receive queue holds; in-flight is kept at or below it.
  uint32_t max_packets_in_flight = 1024;
  uint32_t max_queued_segments = 4096;
  // An ACK is due after this many packets that ask for one, or this time. The receiver's to choose,
  // up to 256 packets and 25 ms (userspace/wire/README.md, section 5).
  uint32_t ack_threshold = 32;
  Duration max_ack_delay = Duration::Micros(250);
  Duration initial_rtt = Duration::Millis(1);
  // Without any acknowledgement for this long while packets are out: dead. Nothing is dead while
  // nothing is out: who wants to know must send something.
  Duration user_timeout = Duration::Seconds(20);
  bool pacing = true;
};

// What to put into one packet, in this order: ACK, PING, segments, padding.
struct PacketPlan {
  PacketNumber number = 0;
  bool ack = false;                    // include BuildAck()'s record
  bool ping = false;                   // include a PING
  ByteCount pad_to = 0;                // pad the packet to this many bytes when > 0 (MTU probe)
  absl::Span<const Segment> segments;  // valid until the next non-const call
  bool ecn_capable = false;            // set ECT(0) in the IP header; DCTCP only
  bool ack_now = false;                // ask for an acknowledgement at once
};

enum class ConnectionState : uint8_t { kOpen, kDead };

// See the .cc files for the parts: ack_tracker, rtt_estimator, loss_detector, sent_packets, pacer,
// mtu_prober, send_queue.
class Connection {
 public:
  Connection(const ConnectionConfig& config, Time now);
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  // False when max_queued_segments is reached: nothing was taken. Data that continues the queue's
  // last segment is merged with it. Control segments go in front of data; one that already waits
  // for the same stream is not queued twice, since its value is read when the packet is built.
  bool Enqueue(const Segment& segment);
  // Bytes of data queued and not yet sent (retransmissions included).
  ByteCount queued_bytes() const;
  ByteCount bytes_in_flight() const;
  ByteCount congestion_window() const;
  // True when PollTransmit would give a packet that carries data, had it any (window and pacing
  // allow).
  bool CanSendData(Time now) const;

  // The next packet, or nullopt when there is nothing to send, or nothing may be sent, at `now`.
  // The plan fits into max_payload bytes (the packet header included) and into the current path
  // MTU. Each plan is followed by OnSent or OnNotSent; a plan without either is taken back.
  std::optional<PacketPlan> PollTransmit(Time now, ByteCount max_payload);
  // The ACK of the plan at hand. Precondition: plan.ack, and no other call since.
  wire::Ack BuildAck(Time now);
  // The planned packet was handed to the device. `bytes` from the packet header on, padding
  // included.
  void OnSent(Time now, PacketNumber number, ByteCount bytes);
  // The planned packet could not be handed over (no buffer): its contents are queued again,
  // in front, and its number is used for the next plan.
  void OnNotSent(PacketNumber number);

  // Only kNew packets are to be processed; the others are dropped and counted.
  Receipt OnPacket(Time now, PacketNumber number, const Arrival& arrival);
  // False when the ACK acknowledges what was never sent or is malformed (a protocol violation by
  // the peer): nothing was changed.
  bool OnAck(Time now, const wire::Ack& ack);
  void OnTimer(Time now);
  // Infinite when nothing is to be waited for. In the past while something is due that PollTransmit
  // was not asked for (or whose packet could not be handed over): a caller without buffers waits
  // for those instead.
  Time NextTimeout() const;

  // Segments that the peer has acknowledged. Neighbours are joined. Data that was sent more than
  // once is reported each time one of its packets is acknowledged, so up to that often, in other
  // slices.
  std::optional<Segment> PollAcked();
  // Everything not yet acknowledged, sent or queued, for another channel of the session. Empties
  // this one.
  std::optional<Segment> TakeUnacknowledged();

  ConnectionState state() const;
  Duration smoothed_rtt() const;
  Duration min_rtt() const;
  ByteCount packet_size() const;  // the confirmed path MTU as packet bytes
  struct Stats {
    uint64_t packets_sent = 0, packets_received = 0, packets_lost = 0, packets_spuriously_lost = 0;
    uint64_t duplicates = 0, acks_sent = 0, acks_received = 0, ptos = 0, ce_received = 0;
  };
  const Stats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace netchannel::transport
