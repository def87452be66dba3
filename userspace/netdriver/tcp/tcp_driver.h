// SPDX-License-Identifier: Apache-2.0
//
// The NetDriver of one host over the kernel's TCP: a session's channels are TCP connections, and
// the segments of all its streams travel over them as records (README.md). It needs no privilege,
// no prepared interface and no packets: the kernel segments, paces, retransmits and checks.
//
//   bytes in:  Poll -> ReceiveNext -> the receive ring itself, or a buffer -> Deliveries (a value,
//              upwards)
//   bytes out: Enqueue(channel, segment) -> PollTransmit -> many records a sendmsg, payload
//   straight
//              from the send ring
//
// Plain calls rather than an io_uring: with 64 KiB and more a call there is nothing to save, and
// the containers that this is for refuse io_uring by default.
//
// Owner: the stack. Thread: the one that holds the host's lease. Time and randomness are arguments.
// Errors: a peer that breaks the protocol loses that connection, counted by DropReason; a session
// that fails is an event with a reason.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "base/rng.h"
#include "netdriver/driver_config.h"
#include "netdriver/net_driver.h"
#include "netdriver/receive_rings.h"
#include "netdriver/stream_table.h"

namespace netchannel {

class TcpDriver final : public NetDriver {
 public:
  // Listens at the base port of each of config.addresses. `streams` and `rng` outlive the driver.
  static absl::StatusOr<std::unique_ptr<TcpDriver>> Open(const DriverConfig& config,
                                                         StreamTable* streams, Rng* rng, Time now);
  ~TcpDriver() override;

  absl::StatusOr<SessionHandle> Connect(Time now, const wire::IpEndpoint& peer) override;
  absl::StatusOr<SessionHandle> Probe(Time now, const wire::IpEndpoint& peer) override;
  std::optional<Absence> AbsenceOf(Time now, const wire::IpEndpoint& peer) override;
  bool IsUp(SessionHandle session) const override;
  void AddReference(SessionHandle session) override;
  void DropReference(Time now, SessionHandle session) override;
  std::optional<Time> LastHeard(SessionHandle session) const override;
  void Ping(Time now, SessionHandle session) override;
  std::optional<wire::IpEndpoint> PeerOf(SessionHandle session) const override;
  StreamId StreamRole(SessionHandle session) const override;
  absl::Span<const ChannelInfo> Channels(SessionHandle session) override;
  bool Enqueue(Time now, SessionHandle session, uint8_t channel, const Segment& segment) override;

  // Sees what has become ready, without waiting; greets and accepts.
  void Poll(Time now);
  // One receive call on the next connection that has something, latency class first. Appends what
  // it delivered; the deliveries are valid until the next call of this or of PollTransmit. False:
  // there is none.
  bool ReceiveNext(Time now, ReceiveRings& rings, std::vector<Delivery>& out);
  // What polls readable when Poll would find something.
  int wait_fd() const;

  size_t PollTransmit(Time now, size_t budget) override;
  void OnTimer(Time now) override;
  Time NextTimeout() const override;
  std::optional<DriverEvent> PollEvent() override;
  void Shutdown(Time now) override;

  uint64_t drops(DropReason reason) const override;
  size_t session_count() const override;
  std::vector<SessionStatus> Status() const override;

 private:
  struct Impl;
  explicit TcpDriver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace netchannel
