// SPDX-License-Identifier: Apache-2.0
//
// The maps that scripts/setup.sh pinned for an interface (bpf/maps.h), opened by the stack and the
// CLI. Every change is one entry; the XDP program follows at once, a stack within 100 ms
// (stack/steering.h).
//
// Thread: any, control plane (each call is a syscall), except knob(), which reads mapped memory.
// Errors: absl::Status with operation, object and cure. Privileges: what the pins' file modes say.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "abi.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "wire/address.h"

namespace netchannel::xdp {

struct LaneEntry {
  uint16_t port = 0;
  nc_lane lane;
};
struct PeerEntry {
  nc_peer_prefix prefix;
  nc_peer peer;
};

// Packets by enum nc_verdict since setup.
using VerdictCounters = std::array<uint64_t, NC_VERDICTS>;

class SteeringMaps {
 public:
  // FailedPrecondition when setup has not run, or ran for an interface that is gone.
  static absl::StatusOr<std::unique_ptr<SteeringMaps>> Open(const std::string& ifname);
  ~SteeringMaps();
  SteeringMaps(const SteeringMaps&) = delete;
  SteeringMaps& operator=(const SteeringMaps&) = delete;

  absl::Status InsertSocket(uint32_t slot, int xsk_fd);
  void RemoveSocket(uint32_t slot);

  absl::Status InsertLane(uint16_t port, const nc_lane& lane);
  void RemoveLane(uint16_t port);
  std::optional<nc_lane> FindLane(uint16_t port) const;
  absl::StatusOr<std::vector<LaneEntry>> ReadLanes() const;

  absl::Status InsertPeer(const nc_peer_prefix& prefix, const nc_peer& peer);
  // False: there was none.
  bool RemovePeer(const nc_peer_prefix& prefix);
  absl::StatusOr<std::vector<PeerEntry>> ReadPeers() const;

  // True when the address was not there before.
  absl::StatusOr<bool> InsertAddress(const wire::IpAddress& address);
  void RemoveAddress(const wire::IpAddress& address);

  absl::StatusOr<VerdictCounters> ReadVerdicts() const;
  const nc_attachment& attachment() const { return attachment_; }

  // A live knob, as of now: a read of memory. Setting one is a syscall.
  uint64_t knob(nc_knob knob) const;
  absl::Status SetKnob(nc_knob knob, uint64_t value);

 private:
  SteeringMaps() = default;
  absl::Status OpenAll(const std::string& ifname);
  absl::Status CheckAttachment(const std::string& ifname);

  UniqueFd xsks_, lanes_, local_addresses_, peers_, counters_, policy_fd_, attachment_fd_;
  const uint64_t* policy_ = nullptr;  // by nc_knob
  nc_attachment attachment_{};
};

}  // namespace netchannel::xdp
