// SPDX-License-Identifier: Apache-2.0
//
// What each sent packet carried, by packet number, until nothing can be learned about it any more.
//
// Two rings: the packets, indexed by number (numbers are contiguous, so finding one is a mask), and
// their segments, contiguous for each packet so that a plan can point at them. Both double on
// demand up to a bound that follows from the most packets in flight; after that the owner must
// PopOldest first. Steady state allocates nothing; a connection that never sent holds nothing.
//
// A packet is planned (its segments are chosen), then sent or taken back. Only the last one may be
// planned. Numbers start at 1.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "base/stream.h"
#include "base/units.h"
#include "transport/ack_tracker.h"

namespace netchannel::transport {

// Small sockets share packets: 64 records of 20 bytes of header leave an Ethernet packet little
// room.
inline constexpr uint32_t kMaxSegmentsPerPacket = 64;

enum class PacketState : uint8_t {
  kPlanned,   // not sent yet
  kInFlight,  // ack-eliciting, no verdict yet
  kAckOnly,   // nothing in it needs to arrive
  kLost,  // declared lost; its segments belong to the send queue, it is kept to recognise a late
          // ACK
  kDone,  // acknowledged or forgotten
};

struct SentPacket {
  Time sent_time;
  PacketNumber told_largest = 0;  // AckTracker::Told of the ACK it carried
  uint32_t bytes = 0;
  uint32_t first_segment = 0;
  uint16_t episode = 0;  // RecoveryEpisode that its loss belongs to, 0: none
  uint8_t told_epoch = 0;
  uint8_t segment_count = 0;
  PacketState state = PacketState::kPlanned;
  bool ack_eliciting = false;
  bool mtu_probe = false;
  bool copied =
      false;  // a probe (RFC 9002 section 6.2.4) took over its segments: not queued when lost
};

static_assert(sizeof(SentPacket) == 32);

class SentPackets {
 public:
  // Tracks the last 8 * `max_in_flight` packet numbers at most, with room for the segments of two
  // full windows of the fullest packets.
  explicit SentPackets(uint32_t max_in_flight);

  PacketNumber begin() const { return begin_; }
  PacketNumber next() const { return next_; }  // the number of the next packet
  bool Tracks(PacketNumber n) const { return n >= begin_ && n < next_; }
  bool empty() const { return begin_ == next_; }
  // Precondition: Tracks(n).
  SentPacket& operator[](PacketNumber n) { return packets_[n & (packet_capacity_ - 1)]; }
  const SentPacket& operator[](PacketNumber n) const {
    return packets_[n & (packet_capacity_ - 1)];
  }
  absl::Span<const Segment> Segments(const SentPacket& packet) const {
    return {&segments_[packet.first_segment & (segment_capacity_ - 1)], packet.segment_count};
  }

  // True when there is no room for another packet before PopOldest.
  bool full() const;
  // Room for kMaxSegmentsPerPacket segments of the next packet. Precondition: !full().
  Segment* Reserve();
  // The next packet holds the first `segment_count` reserved segments.
  SentPacket& Plan(uint32_t segment_count);
  // Takes the planned packet back; its number is used again.
  void Unplan();

  // Forgets packets that are done, from the oldest on, and packets without anything to deliver when
  // they are acknowledged or more than kMaxAckOnly of all.
  void PopDone(PacketNumber largest_acked);
  void PopOldest();

 private:
  // How many packets may be kept only to learn that the ACK in them arrived.
  static constexpr uint32_t kMaxAckOnly = 64;

  uint32_t size() const { return static_cast<uint32_t>(next_ - begin_); }
  // Where the segments of the next packet start: a packet does not wrap around the ring's end.
  uint32_t SegmentStart() const;
  void GrowPackets();
  void GrowSegments();

  const uint32_t max_packets_;
  const uint32_t max_segments_;
  std::unique_ptr<SentPacket[]> packets_;
  std::unique_ptr<Segment[]> segments_;
  uint32_t packet_capacity_ = 0;
  uint32_t segment_capacity_ = 0;
  PacketNumber begin_ = 1;
  PacketNumber next_ = 1;
  uint32_t segment_begin_ = 0;  // [begin, end) modulo 2^32 are in use
  uint32_t segment_end_ = 0;
};

}  // namespace netchannel::transport
