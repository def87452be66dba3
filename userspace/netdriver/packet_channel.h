// SPDX-License-Identifier: Apache-2.0
//
// A channel over lanes: one transport connection between a lane of ours and a lane of the peer's.
//
// Arriving packets become deliveries, enqueued segments become packets. A channel with something to
// do is on the driver's active list (active_channels.h); otherwise its timer stands at the
// transport's next timeout. An idle channel costs nothing but its memory.
//
//   open      takes segments                    <-> Open, Close, while traffic flows
//   draining  takes no more: what it has, it delivers; the peer's packets are acknowledged
//   resting   nothing on its way for kLinger: the transport connection is gone, and its memory
//   failed    the transport has given up; for good
//
// Which of our channels are open is our own matter, the peer is not told: it may send on any
// channel at any time, and a resting one is made again by its first packet or ours, with a new
// connection that goes on with the packet numbers (channel_epoch.h).
//
// Owner: its session. Thread: the one that runs the driver. Errors: ReceiveResult; failed() once
// the transport has given up.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/intrusive_list.h"
#include "base/timer_wheel.h"
#include "netdriver/channel_epoch.h"
#include "netdriver/event_queue.h"
#include "netdriver/lane_set.h"
#include "netdriver/peer_path.h"
#include "netdriver/session_port.h"
#include "netdriver/stream_table.h"
#include "transport/connection.h"
#include "wire/chunks.h"
#include "wire/datagram.h"
#include "wire/record_reader.h"

namespace netchannel {

struct Session;

// What the two ends agreed on for one channel.
struct ChannelPlan {
  uint8_t index = 0;
  AppClass app_class = AppClass::kThroughput;
  uint32_t lane = 0;        // ours
  uint64_t token = 0;       // what packets to us carry
  uint64_t peer_token = 0;  // what packets to the peer carry
  wire::IpEndpoint local, remote;
};

// A data packet that has passed all checks below its records.
struct ReceivedPacket {
  PacketNumber number = 0;
  transport::Ecn ecn = transport::Ecn::kNotEct;
  bool ack_now = false;  // the sender waits for an acknowledgement
  wire::ChunkList chunks;
  size_t records_begin = 0, records_end = 0;  // positions in the chunks
};

enum class ReceiveResult : uint8_t {
  kOk,
  kBadRecord,  // nothing was used
  kDuplicate,  // nothing was used
  kBadAck,     // all but the ACK was used
  kClosed,     // the peer ends the session
};

enum class TransmitResult : uint8_t {
  kSent,
  kNothing,  // nothing to send now
  kBlocked,  // the lane has no buffer
};

enum class ChannelState : uint8_t { kOpen, kDraining, kResting, kFailed };
const char* ChannelStateName(ChannelState state);  // "open", "draining", "resting", "failed"

class PacketChannel {
 public:
  // Several round trips, and several probe timeouts, on any path: what was lost of the last packets
  // is found out while the connection still knows of it.
  static constexpr Duration kLinger = Duration::Seconds(1);

  // `config`, `path` and `info` belong to the session and outlive the channel. It rests, and is
  // open when `open` says so.
  PacketChannel(Session* session, const ChannelPlan& plan,
                const transport::ConnectionConfig* config, PeerPath* path, ChannelInfo* info,
                ByteCount backlog_limit, bool open);
  PacketChannel(const PacketChannel&) = delete;
  PacketChannel& operator=(const PacketChannel&) = delete;

  Session& session() const { return *session_; }
  const ChannelPlan& plan() const { return plan_; }
  AppClass app_class() const { return plan_.app_class; }
  ChannelState state() const;
  // Null while it rests.
  transport::Connection* connection() { return connection_ ? &*connection_ : nullptr; }
  const transport::Connection* connection() const { return connection_ ? &*connection_ : nullptr; }

  bool failed() const { return failed_; }
  bool is_open() const { return info_->open; }
  void Open();
  void Close();
  // When it may Rest, as far as it knows now; infinite while it is open or rests.
  Time rest_at() const;
  // Forgets the connection. What it still held is appended to `left`, for other channels: nothing,
  // unless it was held back for all of kLinger.
  void Rest(std::vector<Segment>& left);
  // Takes no packets and no segments from here on.
  void SetFailed();

  // Data above the backlog limit is refused, control segments only by the transport's own bound.
  bool Enqueue(Time now, const Segment& segment);
  // Segments of another channel that failed: whatever the backlog.
  bool EnqueueMoved(Time now, const Segment& segment);
  // Something that the peer must acknowledge, to learn whether it is there.
  void EnqueuePing(Time now);

  // Appends the packet's deliveries and the acknowledged segments. `scratch` holds one record at a
  // time.
  ReceiveResult OnPacket(Time now, const ReceivedPacket& packet, wire::Record& scratch,
                         std::vector<Delivery>& out, EventQueue& events);

  // At most one packet.
  TransmitResult TransmitOne(Time now, LaneSet& lanes, StreamTable& streams);
  // Tells the peer that the session ends, if a packet may go now.
  void TransmitClose(Time now, LaneSet& lanes, wire::CloseCode code);

  Timer timer{this};
  ListLink<PacketChannel> active;

 private:
  // Room for a packet behind headers that are up to date, in the lane's buffer; nullopt: blocked.
  struct Room {
    absl::Span<std::byte> frame;
    ByteCount max_payload;
  };
  std::optional<Room> Reserve(LaneSet& lanes);
  // The connection, made when it rests.
  transport::Connection& Wake(Time now);
  void RefreshHeaders();
  void RefreshInfo();
  void DrainAcked(EventQueue& events);

  Session* session_;
  ChannelPlan plan_;
  const transport::ConnectionConfig* config_;
  PeerPath* path_;
  ChannelInfo* info_;
  ByteCount backlog_limit_;
  std::optional<transport::Connection> connection_;
  ChannelEpoch epoch_;
  Time last_used_;  // a packet or segment, either way
  wire::DatagramHeader headers_;
  uint32_t path_generation_;
  bool failed_ = false;
};

}  // namespace netchannel
