// SPDX-License-Identifier: Apache-2.0
//
// What the layers above see of a NetDriver: sessions with other hosts, the channels of each, and a
// place to enqueue segments. The scheduler and the virtual sockets know only this;
// netdriver/driver.h implements it over lanes, tests implement it by handing segments from one host
// to the other.
//
// The input side is values, not calls: what arrived is a Delivery, what happened is a DriverEvent;
// the stack carries both upwards.
//
// Owner: the stack. Thread: the one that holds the host's lease. Errors: an unknown or closed
// session has no channels, is not up, and takes no segment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/stream.h"
#include "base/units.h"
#include "netdriver/absence.h"
#include "netdriver/device.h"
#include "wire/address.h"
#include "wire/packet_layout.h"

namespace netchannel {

// The parts of a payload. Not initialised: a delivery is made for each record, and clearing 18
// spans costs more than all else about it.
class PayloadParts {
 public:
  using Part = absl::Span<const std::byte>;
  PayloadParts() {}  // leaves parts_ alone

  static constexpr size_t size() { return kMaxRxChunks; }
  Part* data() { return parts_; }
  const Part* data() const { return parts_; }
  Part* begin() { return parts_; }
  Part& operator[](size_t i) { return parts_[i]; }
  const Part& operator[](size_t i) const { return parts_[i]; }

 private:
  union {
    Part parts_[kMaxRxChunks];
  };
};

// What one record said, with its payload still in the received packet. Valid until the packet is
// released.
struct Delivery {
  SessionHandle session;
  wire::RecordType type = wire::RecordType::kPadding;  // kData, kOpen, kAccept, kWindow or kReset
  StreamId stream = 0;
  StreamOffset offset = 0;                              // kData
  bool fin = false;                                     // kData
  StreamOffset receive_limit = 0;                       // kOpen, kAccept, kWindow
  uint16_t source_port = 0;                             // kOpen
  uint16_t destination_port = 0;                        // kOpen
  AppClass app_class = AppClass::kThroughput;           // kOpen
  wire::ResetCode reset_code = wire::ResetCode::kNone;  // kReset
  uint32_t length = 0;                                  // kData: bytes in `payload`
  uint32_t payload_count = 0;
  PayloadParts payload;  // kData: the first payload_count, in order

  Delivery() {}  // else a value-initialised one is cleared first
};

struct DriverEvent {
  enum class Kind : uint8_t {
    kSessionUp,     // handshake complete; channels may be used
    kSessionDown,   // `error` says why, as an errno: ETIMEDOUT, ECONNRESET, ECONNREFUSED,
                    // EHOSTUNREACH, EPROTONOSUPPORT (Absence says why)
    kPeerAbsent,    // an ICMP error instead of an answer, or none within the probe time; who is
                    // patient goes on waiting
    kAcknowledged,  // `segment` reached the peer's stack
  };
  Kind kind;
  SessionHandle session;
  Segment segment;
  int error = 0;
};

struct ChannelInfo {
  uint8_t index = 0;  // within the session
  AppClass app_class = AppClass::kThroughput;
  ByteCount backlog = 0;   // bytes enqueued and not yet sent
  ByteCount capacity = 0;  // bytes that may be enqueued now
  bool open = true;        // false: takes nothing until it is opened (again)
  bool failed = false;     // for good
  uint32_t lane = 0;       // ours, that it runs over
  ByteCount taken = 0;     // bytes enqueued since the session came up
};

class SessionPort {
 public:
  virtual ~SessionPort() = default;

  // The session with the peer's stack at `peer`, starting the handshake when there is none. Comes
  // with kSessionUp (also when it exists: ask IsUp) or kSessionDown.
  // Unimplemented: there can be none; AbsenceOf says why.
  virtual absl::StatusOr<SessionHandle> Connect(Time now, const wire::IpEndpoint& peer) = 0;
  // As Connect, for who can do without NetChannel: what is remembered of the peer counts, and
  // kPeerAbsent comes, at the latest after the probe time.
  virtual absl::StatusOr<SessionHandle> Probe(Time now, const wire::IpEndpoint& peer) = 0;
  // What is known against NetChannel at `peer`.
  virtual std::optional<Absence> AbsenceOf(Time now, const wire::IpEndpoint& peer) = 0;
  virtual bool IsUp(SessionHandle session) const = 0;
  // Streams that hold the session open. Without any for the idle timeout it is closed.
  virtual void AddReference(SessionHandle session) = 0;
  virtual void DropReference(Time now, SessionHandle session) = 0;
  // When anything last came from the peer's stack; nullopt unless the session is up.
  virtual std::optional<Time> LastHeard(SessionHandle session) const = 0;
  // Asks the peer's stack for a sign of life, which moves LastHeard within a round trip. While none
  // comes, each call asks over another channel: a peer is not silent because one path is.
  virtual void Ping(Time now, SessionHandle session) = 0;
  // The endpoint of the peer's stack.
  virtual std::optional<wire::IpEndpoint> PeerOf(SessionHandle session) const = 0;
  // The role bit for stream ids that this host opens in the session (0: client).
  virtual StreamId StreamRole(SessionHandle session) const = 0;

  // The channels of a session; empty until it is up. Valid until the next non-const call.
  virtual absl::Span<const ChannelInfo> Channels(SessionHandle session) = 0;
  // False when the channel is full or gone: nothing was taken.
  virtual bool Enqueue(Time now, SessionHandle session, uint8_t channel,
                       const Segment& segment) = 0;
};

}  // namespace netchannel
