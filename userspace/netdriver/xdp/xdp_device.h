// SPDX-License-Identifier: Apache-2.0
//
// The AF_XDP device of one interface: its UMEM, its lanes, and their entries in the maps that
// scripts/setup.sh pinned. Opening needs CAP_NET_RAW (and CAP_IPC_LOCK, or a memlock limit), not
// root.
//
// Invariants: lane i has UDP port base_port + i. The first lane that names a queue is the queue's
// home: packets that arrive there for lanes of other queues are its to deliver. Packets on a queue
// without a lane go to the kernel, which drops them, so every queue that the peers' packets may
// arrive on needs one.
//
// Owner: the stack. Thread: Open and the destructor in the interface's network namespace; the lanes
// of one queue by one thread at a time; Supervise only while no lane is in use. Errors:
// absl::Status with operation, object and cure in one line.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/stream.h"
#include "base/units.h"
#include "netdriver/absence.h"
#include "netdriver/device.h"
#include "netdriver/xdp/interface.h"
#include "netdriver/xdp/steering_maps.h"
#include "netdriver/xdp/umem.h"
#include "netdriver/xdp/xdp_lane.h"
#include "netdriver/xdp/xsk.h"
#include "wire/address.h"

namespace netchannel {

struct XdpLaneConfig {
  uint32_t queue = 0;
  AppClass app_class = AppClass::kThroughput;
};

struct XdpDeviceConfig {
  std::string ifname;
  std::vector<XdpLaneConfig> lanes;  // 1 to 8 a queue
  uint16_t base_port = 0;            // lane i is UDP port base_port + i
  std::vector<wire::IpAddress>
      addresses;  // ours: added to local_addresses while the device is open
  xdp::ModePreference mode = xdp::ModePreference::kAuto;
  uint32_t rx_ring = 1024;  // descriptors a lane, and of a queue's fill ring; a power of two
  uint32_t tx_ring = 512;   // descriptors a lane; a power of two
  // Threads that make the kernel send, for throughput lanes in turns (channel_thread.h); 0: who
  // runs the stack does it. `thread_cpus`: where each is to run, or fewer: the kernel chooses.
  uint32_t channel_threads = 0;
  std::vector<uint32_t> thread_cpus;
  Duration thread_spin = Duration::Micros(50);
  Duration stall_limit = Duration::Seconds(5);  // in flight without a completion: rebuild
};

// What the device came to, for status output.
struct XdpDeviceStatus {
  xdp::InterfaceInfo interface;
  nc_attachment attachment;  // native or generic, dispatcher or alone, and why
  xdp::BindMode mode;        // zero-copy or copy, and why
  xdp::UmemBudget budget;
  std::vector<uint32_t> uncovered_queues;  // RX queues of the interface without a lane
  uint64_t rebuilds = 0;
  std::string rebuild_failure;  // of the last one, since which the lanes are silent; else empty
};

class XdpDevice {
 public:
  // A queue that another has taken holds an attempt up for a second.
  static constexpr Duration kRebuildPeriod = Duration::Seconds(10);

  static absl::StatusOr<std::unique_ptr<XdpDevice>> Open(const XdpDeviceConfig& config);
  // Removes the entries from the maps and closes the sockets. Every packet has been released.
  ~XdpDevice();
  XdpDevice(const XdpDevice&) = delete;
  XdpDevice& operator=(const XdpDevice&) = delete;

  absl::Span<Lane* const> lanes() const;
  absl::Span<const std::unique_ptr<XdpLane>> xdp_lanes() const;

  absl::Span<const std::unique_ptr<xdp::ChannelThread>> channel_threads() const;

  // Looks for lanes whose completions have stopped, and makes all sockets anew if there is one:
  // packets in flight are lost, borrowed ones stay valid. True when it did. An error when it could
  // not: then all lanes are silent, and it tries again, kRebuildPeriod apart. In both cases the
  // lanes' wait_fd() have changed. Call it about once a second.
  absl::StatusOr<bool> Supervise(Time now);
  // What Supervise does on a stall.
  absl::Status Rebuild();

  // ICMP errors about what the lanes have sent; error_fd polls readable when there are some.
  int error_fd() const;
  std::optional<Unreachable> PollUnreachable();

  // Received chunks that have not been released, over all lanes: 0 when every frame is home.
  uint32_t borrowed_chunks() const;

  XdpDeviceStatus status() const;
  absl::StatusOr<xdp::VerdictCounters> ReadVerdicts() const;
  // The live knobs of the map `policy`.
  xdp::SteeringMaps& maps();
  // Of the lane's own socket in the map `xsks`.
  uint32_t slot_of(size_t lane) const;

 private:
  struct Impl;
  explicit XdpDevice(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace netchannel
