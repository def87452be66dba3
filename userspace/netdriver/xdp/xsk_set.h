// SPDX-License-Identifier: Apache-2.0
//
// All kernel objects over one UMEM area: its registration and one socket a lane, in the order in
// which the kernel accepts and releases them. The area, the lanes and the queue ports outlive the
// set, so it can be closed and made again (XdpDevice::Rebuild). Owner: XdpDevice. Thread: set-up.
// Errors: absl::Status; nothing is left open.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "netdriver/xdp/queue_port.h"
#include "netdriver/xdp/umem.h"
#include "netdriver/xdp/xdp_lane.h"
#include "netdriver/xdp/xsk.h"

namespace netchannel::xdp {

struct XskSetConfig {
  std::string ifname;
  UmemBudget budget;
  ModePreference preference = ModePreference::kAuto;
  bool multi_buffer = false;
};

class XskSet {
 public:
  // Socket i belongs to lanes[i] and is attached to it.
  static absl::StatusOr<std::unique_ptr<XskSet>> Open(
      const XskSetConfig& config, absl::Span<std::byte> area,
      const std::vector<std::unique_ptr<QueuePort>>& ports,
      const std::vector<std::unique_ptr<XdpLane>>& lanes);
  ~XskSet();
  XskSet(const XskSet&) = delete;
  XskSet& operator=(const XskSet&) = delete;

  const BindMode& mode() const { return mode_; }

 private:
  XskSet() = default;
  absl::Status OpenLane(const XskSetConfig& config, QueuePort* port, const Xsk* first_of_queue,
                        XdpLane* lane);

  // Deleted last to first: sockets before the UMEM that they use.
  std::unique_ptr<XskUmem> umem_;
  std::vector<std::unique_ptr<Xsk>> sockets_;
  std::vector<XdpLane*> lanes_;  // by socket
  BindMode mode_;
};

}  // namespace netchannel::xdp
