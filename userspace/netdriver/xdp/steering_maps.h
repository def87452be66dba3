// SPDX-License-Identifier: Apache-2.0
//
// The maps that scripts/setup.sh pinned for an interface (bpf/maps.h), opened by the stack and the
// CLI. Every change is one entry; steering follows at once.
//
// Thread: any, control plane (each call is a syscall), except policy(), which reads mapped memory.
// Errors: absl::Status with operation, object and cure. Privileges: what the pins' file modes say.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "abi.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "wire/address.h"

namespace netchannel::xdp {

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

  // True when the address was not there before.
  absl::StatusOr<bool> InsertAddress(const wire::IpAddress& address);
  void RemoveAddress(const wire::IpAddress& address);

  absl::StatusOr<VerdictCounters> ReadVerdicts() const;
  const nc_attachment& attachment() const { return attachment_; }

  // The live knobs, as of now.
  uint64_t policy_generation() const;
  bool deny_unknown_peers() const;

 private:
  SteeringMaps() = default;
  absl::Status OpenAll(const std::string& ifname);
  absl::Status CheckAttachment(const std::string& ifname);

  UniqueFd xsks_, lanes_, local_addresses_, counters_, policy_fd_, attachment_fd_;
  const nc_policy* policy_ = nullptr;
  nc_attachment attachment_{};
};

}  // namespace netchannel::xdp
