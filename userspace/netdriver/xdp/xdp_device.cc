// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/xdp_device.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <map>

#include "absl/strings/str_cat.h"
#include "netdriver/xdp/port_reservation.h"
#include "netdriver/xdp/queue_port.h"
#include "netdriver/xdp/stall_detector.h"
#include "netdriver/xdp/xsk_set.h"

namespace netchannel {
namespace {

// Ring sizes: below 64 a burst of the kernel's NAPI poll (64 packets) does not fit.
constexpr uint32_t kMinRing = 64;
constexpr uint32_t kMaxRing = 32768;

absl::Status CheckRing(const char* name, uint32_t size) {
  if (std::has_single_bit(size) && size >= kMinRing && size <= kMaxRing) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("use ", name, " = ", size,
                                                 ": not a power of two from ", kMinRing, " to ",
                                                 kMaxRing, "; choose one, for example 1024"));
}

absl::Status CheckConfig(const XdpDeviceConfig& config, const xdp::InterfaceInfo& interface) {
  if (auto status = CheckRing("rx_ring", config.rx_ring); !status.ok()) return status;
  if (auto status = CheckRing("tx_ring", config.tx_ring); !status.ok()) return status;
  if (config.lanes.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("open ", config.ifname, ": no lanes; configure one for each queue"));
  }
  std::map<uint32_t, uint32_t> lanes_of_queue;
  for (const XdpLaneConfig& lane : config.lanes) {
    if (lane.queue >= interface.rx_queues) {
      return absl::InvalidArgumentError(
          absl::StrCat("open a lane on ", config.ifname, " queue ", lane.queue,
                       ": the interface has queues 0..", interface.rx_queues - 1,
                       "; choose one, or add queues with `ethtool -L ", config.ifname, "`"));
    }
    if (lane.queue >= NC_MAX_QUEUES) {
      return absl::InvalidArgumentError(
          absl::StrCat("open a lane on ", config.ifname, " queue ", lane.queue, ": only queues 0..",
                       NC_MAX_QUEUES - 1, " have slots in the map xsks; ", "choose one of them"));
    }
    if (++lanes_of_queue[lane.queue] > 1 + NC_EXTRA_LANES) {
      return absl::InvalidArgumentError(
          absl::StrCat("open more than ", 1 + NC_EXTRA_LANES, " lanes on ", config.ifname,
                       " queue ", lane.queue, ": the map xsks has no more slots; use fewer"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

struct XdpDevice::Impl {
  explicit Impl(const XdpDeviceConfig& c) : config(c), stall(c.stall_limit) {}
  ~Impl() { Close(); }

  absl::Status Start();
  void Lay();
  void StartThreads();
  absl::Status InsertEntries();
  uint32_t SlotOf(size_t lane) const;
  absl::Status OpenSockets();
  absl::Status InsertSockets();
  bool Stalled(Time now);
  void RemoveEntries();
  void Close();

  XdpDeviceConfig config;
  xdp::InterfaceInfo interface;
  std::unique_ptr<xdp::SteeringMaps> maps;
  xdp::UmemBudget budget;
  std::unique_ptr<xdp::UmemArea> area;
  std::vector<std::unique_ptr<xdp::QueuePort>> ports;
  std::vector<std::unique_ptr<XdpLane>> lanes;
  std::vector<Lane*> lane_views;
  std::vector<std::unique_ptr<xdp::ChannelThread>> threads;  // before the lanes' counters go
  std::unique_ptr<xdp::XskSet> sockets;                      // after what it points into
  xdp::PortReservation reserved_ports;
  std::vector<wire::IpAddress> inserted_addresses;
  bool entries_inserted = false;
  xdp::BindMode mode;
  xdp::StallDetector stall;
  uint64_t rebuilds = 0;
  std::string rebuild_failure;
  Time next_rebuild;  // after one that failed
};

absl::Status XdpDevice::Impl::Start() {
  auto queried = xdp::QueryInterface(config.ifname);
  if (!queried.ok()) return queried.status();
  interface = *std::move(queried);
  if (auto status = CheckConfig(config, interface); !status.ok()) return status;
  auto opened = xdp::SteeringMaps::Open(config.ifname);
  if (!opened.ok()) return opened.status();
  maps = *std::move(opened);

  Lay();
  auto allocated = xdp::UmemArea::Allocate(budget.bytes());
  if (!allocated.ok()) return allocated.status();
  area = *std::move(allocated);
  uint64_t tx_base = (budget.fill_chunks + budget.rx_chunks) * xdp::kChunkSize;
  for (size_t i = 0; i < config.lanes.size(); ++i) {
    const XdpLaneConfig& lane = config.lanes[i];
    const auto port = std::find_if(ports.begin(), ports.end(),
                                   [&lane](const auto& p) { return p->queue() == lane.queue; });
    const LaneInfo info{
        .index = static_cast<uint32_t>(i),
        .queue = lane.queue,
        .app_class = static_cast<uint8_t>(lane.app_class),
        .mtu = static_cast<uint16_t>(std::min(interface.mtu, 65535u)),
        .rx_capacity = budget.rx_ring / xdp::RxChunksPerFrame(interface.mtu),
    };
    lanes.push_back(std::make_unique<XdpLane>(info, static_cast<uint16_t>(config.base_port + i),
                                              area->bytes(), port->get(), tx_base, budget));
    lane_views.push_back(lanes.back().get());
    tx_base += uint64_t{budget.LaneTxChunks()} * xdp::kChunkSize;
  }
  StartThreads();
  if (auto status = OpenSockets(); !status.ok()) return status;
  return InsertEntries();
}

void XdpDevice::Impl::StartThreads() {
  for (uint32_t i = 0; i < config.channel_threads; ++i) {
    const std::optional<uint32_t> cpu =
        i < config.thread_cpus.size() ? std::make_optional(config.thread_cpus[i]) : std::nullopt;
    threads.push_back(std::make_unique<xdp::ChannelThread>(i, cpu, config.thread_spin));
  }
  // A latency packet goes without the hand-over.
  uint32_t next = 0;
  for (size_t i = 0; !threads.empty() && i < lanes.size(); ++i) {
    if (config.lanes[i].app_class != AppClass::kThroughput) continue;
    xdp::ChannelThread& thread = *threads[next++ % threads.size()];
    if (!thread.full()) lanes[i]->UseThread(&thread);
  }
}

// Fixes the budget, and gives each queue its share of the UMEM. Receive chunks come first, lanes'
// slots behind.
void XdpDevice::Impl::Lay() {
  std::map<uint32_t, uint32_t> lanes_of_queue;
  uint32_t most = 0;
  for (const XdpLaneConfig& lane : config.lanes)
    most = std::max(most, ++lanes_of_queue[lane.queue]);
  budget = xdp::PlanUmem({.queues = static_cast<uint32_t>(lanes_of_queue.size()),
                          .lanes = static_cast<uint32_t>(config.lanes.size()),
                          .max_lanes_per_queue = most,
                          .rx_ring = config.rx_ring,
                          .tx_ring = config.tx_ring,
                          .mtu = interface.mtu});
  uint32_t first_chunk = 0;
  for (const auto& [queue, count] : lanes_of_queue) {
    ports.push_back(
        std::make_unique<xdp::QueuePort>(queue, first_chunk, budget.QueueChunks(count)));
    first_chunk += budget.QueueChunks(count);
  }
}

absl::Status XdpDevice::Impl::OpenSockets() {
  xdp::XskSetConfig set_config{.ifname = config.ifname,
                               .budget = budget,
                               .preference = config.mode,
                               .multi_buffer = xdp::RxChunksPerFrame(interface.mtu) > 1};
  std::string generic;
  if (maps->attachment().mode == NC_ATTACH_GENERIC && config.mode == xdp::ModePreference::kAuto) {
    set_config.preference = xdp::ModePreference::kCopy;
    generic = "the XDP program is attached in generic mode";
  }
  auto set = xdp::XskSet::Open(set_config, area->bytes(), ports, lanes);
  if (!set.ok()) return set.status();
  sockets = *std::move(set);
  mode = sockets->mode();
  if (!generic.empty()) mode.reason = generic;
  if (config.mode == xdp::ModePreference::kCopy) mode.reason = "configured";
  return absl::OkStatus();
}

uint32_t XdpDevice::Impl::SlotOf(size_t lane) const {
  const uint32_t queue = config.lanes[lane].queue;
  uint32_t before = 0;
  for (size_t i = 0; i < lane; ++i) before += config.lanes[i].queue == queue ? 1 : 0;
  return before == 0 ? queue : NC_MAX_QUEUES + queue * NC_EXTRA_LANES + before - 1;
}

absl::Status XdpDevice::Impl::InsertEntries() {
  auto reserved =
      xdp::PortReservation::Reserve(config.base_port, static_cast<uint32_t>(lanes.size()));
  if (!reserved.ok()) return reserved.status();
  reserved_ports = *std::move(reserved);

  entries_inserted = true;
  for (const wire::IpAddress& address : config.addresses) {
    const auto inserted = maps->InsertAddress(address);
    if (!inserted.ok()) return inserted.status();
    if (*inserted) inserted_addresses.push_back(address);
  }
  // Sockets first: a lane in the map finds its socket there.
  if (auto status = InsertSockets(); !status.ok()) return status;
  for (size_t i = 0; i < lanes.size(); ++i) {
    const LaneInfo& info = lanes[i]->info();
    const nc_lane lane{.slot = SlotOf(i),
                       .queue = info.queue,
                       .app_class = static_cast<nc_class>(info.app_class),
                       .action = NC_ACTION_STEER,
                       .own_slot = SlotOf(i)};
    if (auto status = maps->InsertLane(lanes[i]->udp_port(), lane); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status XdpDevice::Impl::InsertSockets() {
  for (size_t i = 0; i < lanes.size(); ++i) {
    auto status = maps->InsertSocket(SlotOf(i), lanes[i]->wait_fd());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void XdpDevice::Impl::Close() {
  if (entries_inserted) RemoveEntries();
  entries_inserted = false;
  sockets.reset();
}

void XdpDevice::Impl::RemoveEntries() {
  for (const auto& lane : lanes) maps->RemoveLane(lane->udp_port());
  for (size_t i = 0; i < lanes.size(); ++i) maps->RemoveSocket(SlotOf(i));
  for (const wire::IpAddress& address : inserted_addresses) maps->RemoveAddress(address);
}

absl::StatusOr<std::unique_ptr<XdpDevice>> XdpDevice::Open(const XdpDeviceConfig& config) {
  auto impl = std::make_unique<Impl>(config);
  if (auto status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<XdpDevice>(new XdpDevice(std::move(impl)));
}

XdpDevice::XdpDevice(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

XdpDevice::~XdpDevice() {
  impl_->Close();
  if (const uint32_t missing = borrowed_chunks(); missing > 0) {
    std::fprintf(stderr, "netchannel: %s closes with %u receive buffers not released\n",
                 impl_->config.ifname.c_str(), missing);
  }
}

absl::Span<Lane* const> XdpDevice::lanes() const { return impl_->lane_views; }

absl::Span<const std::unique_ptr<XdpLane>> XdpDevice::xdp_lanes() const { return impl_->lanes; }

absl::Span<const std::unique_ptr<xdp::ChannelThread>> XdpDevice::channel_threads() const {
  return impl_->threads;
}

bool XdpDevice::Impl::Stalled(Time now) {
  // What channel threads had the kernel send has completed since the last flush.
  for (const auto& port : ports) port->Reap();
  uint64_t in_flight = 0;
  uint64_t completions = 0;
  for (const auto& lane : lanes) in_flight += lane->in_flight();
  for (const auto& port : ports) completions += port->completions();
  return stall.Sample(now, in_flight, completions);
}

absl::StatusOr<bool> XdpDevice::Supervise(Time now) {
  const bool silent = impl_->sockets == nullptr;
  if (silent ? now < impl_->next_rebuild : !impl_->Stalled(now)) return false;
  // Nothing completes on an interface that is down, and nothing can be bound to it.
  const auto interface = xdp::QueryInterface(impl_->config.ifname);
  if (!interface.ok()) return interface.status();
  if (!interface->up) return false;
  impl_->next_rebuild = now + kRebuildPeriod;
  if (auto status = Rebuild(); !status.ok()) return status;
  return true;
}

absl::Status XdpDevice::Rebuild() {
  impl_->sockets.reset();
  absl::Status status = impl_->OpenSockets();
  if (status.ok()) status = impl_->InsertSockets();
  impl_->rebuild_failure = std::string(status.message());
  if (status.ok()) {
    ++impl_->rebuilds;
  } else {
    impl_->sockets.reset();
  }
  return status;
}

int XdpDevice::error_fd() const { return impl_->reserved_ports.error_fd(); }

std::optional<Unreachable> XdpDevice::PollUnreachable() {
  return impl_->reserved_ports.PollUnreachable();
}

uint32_t XdpDevice::borrowed_chunks() const {
  uint32_t borrowed = 0;
  for (const auto& port : impl_->ports) borrowed += port->borrowed();
  return borrowed;
}

XdpDeviceStatus XdpDevice::status() const {
  XdpDeviceStatus status{.interface = impl_->interface,
                         .attachment = impl_->maps->attachment(),
                         .mode = impl_->mode,
                         .budget = impl_->budget,
                         .uncovered_queues = {},
                         .rebuilds = impl_->rebuilds,
                         .rebuild_failure = impl_->rebuild_failure};
  for (uint32_t queue = 0; queue < impl_->interface.rx_queues; ++queue) {
    const bool covered = std::any_of(impl_->ports.begin(), impl_->ports.end(),
                                     [queue](const auto& p) { return p->queue() == queue; });
    if (!covered) status.uncovered_queues.push_back(queue);
  }
  return status;
}

absl::StatusOr<xdp::VerdictCounters> XdpDevice::ReadVerdicts() const {
  return impl_->maps->ReadVerdicts();
}

xdp::SteeringMaps& XdpDevice::maps() { return *impl_->maps; }

uint32_t XdpDevice::slot_of(size_t lane) const { return impl_->SlotOf(lane); }

}  // namespace netchannel
