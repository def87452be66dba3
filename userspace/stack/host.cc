// SPDX-License-Identifier: Apache-2.0
#include "stack/host.h"

#include <algorithm>

#include "vns/socket_table.h"

namespace netchannel {

absl::StatusOr<std::unique_ptr<Host>> Host::Create(const HostConfig& config,
                                                   absl::Span<Lane* const> lanes, NextHops* hops,
                                                   BufferPool* pool, Rng* rng, Time now) {
  // A stream that is refused needs an entry until the peer has heard of it. So that a host whose
  // sockets are all taken can still refuse aloud, there are as many entries beyond them as there
  // are refusals at once.
  const uint32_t max_streams = config.sockets.max_sockets + SocketTable::kResetReserve;
  auto host = std::unique_ptr<Host>(new Host(lanes, max_streams));
  SchedulerConfig scheduler_config = config.scheduler;
  scheduler_config.max_flows = max_streams;  // a stream's slot is its flow
  auto scheduler = Scheduler::Create(scheduler_config);
  if (!scheduler.ok()) return scheduler.status();
  host->scheduler_ = *std::move(scheduler);
  if (absl::Status status = host->MakeDriver(config, lanes, hops, rng, now); !status.ok())
    return status;
  host->sockets_ = std::make_unique<SocketLayer>(
      config.sockets, host->driver_.get(), host->scheduler_.get(), &host->streams_, pool, rng);
  return host;
}

absl::Status Host::MakeDriver(const HostConfig& config, absl::Span<Lane* const> lanes,
                              NextHops* hops, Rng* rng, Time now) {
  if (config.transport == Transport::kTcp) {
    auto driver = TcpDriver::Open(config.driver, &streams_, rng, now);
    if (!driver.ok()) return driver.status();
    tcp_ = driver->get();
    driver_ = *std::move(driver);
    return absl::OkStatus();
  }
  auto scaler = ChannelScaler::Create(config.scaling);
  if (!scaler.ok()) return scaler.status();
  scaler_ = *std::move(scaler);
  occupancy_.resize(lanes.size());
  loads_.resize(lanes.size());
  auto driver = std::make_unique<Driver>(config.driver, lanes, &streams_, hops, rng, now);
  packets_ = driver.get();
  driver_ = std::move(driver);
  SortLanes();
  return absl::OkStatus();
}

Host::Host(absl::Span<Lane* const> lanes, uint32_t max_streams)
    : lanes_(lanes.begin(), lanes.end()), streams_(max_streams), batch_(kBatch) {}

void Host::SteerLane(uint32_t lane, AppClass app_class, uint32_t via) {
  packets_->SteerLane(lane, app_class, via);
  SortLanes();
}

void Host::SortLanes() {
  const auto class_of = [this](const Lane* lane) {
    return packets_->LaneClass(lane->info().index);
  };
  std::stable_sort(lanes_.begin(), lanes_.end(),
                   [class_of](const Lane* a, const Lane* b) { return class_of(a) > class_of(b); });
}

Host::~Host() = default;

size_t Host::Receive(Time now) {
  size_t received = 0;
  for (Lane* lane : lanes_) received += ReceiveFrom(now, *lane);
  if (tcp_ != nullptr) received += ReceiveFromTcp(now);
  if (received > 0) DrainDriverEvents(now);
  return received;
}

size_t Host::ReceiveFrom(Time now, Lane& lane) {
  const size_t count = lane.Receive(absl::MakeSpan(batch_));
  for (size_t i = 0; i < count; ++i) {
    deliveries_.clear();
    packets_->OnPacket(now, lane.info().index, batch_[i], deliveries_);
    for (const Delivery& delivery : deliveries_) sockets_->OnDelivery(now, delivery);
  }
  if (count > 0) lane.Release(absl::MakeConstSpan(batch_).first(count));
  return count;
}

size_t Host::ReceiveFromTcp(Time now) {
  tcp_->Poll(now);
  size_t received = 0;
  while (received < kReadBudget) {
    deliveries_.clear();
    if (!tcp_->ReceiveNext(now, *sockets_, deliveries_)) break;
    for (const Delivery& delivery : deliveries_) sockets_->OnDelivery(now, delivery);
    ++received;
  }
  return received;
}

void Host::DrainDriverEvents(Time now) {
  while (const auto event = driver_->PollEvent()) sockets_->OnDriverEvent(now, *event);
}

size_t Host::Transmit(Time now) {
  if (now >= driver_->NextTimeout()) driver_->OnTimer(now);
  if (now >= sockets_->NextTimeout()) sockets_->OnTimer(now);
  DrainDriverEvents(now);
  if (scaler_ && now >= scaler_->NextLook() && driver_->session_count() > 0) ScaleChannels(now);
  const size_t pumped = sockets_->Pump(now, kPumpBudget);
  return pumped + driver_->PollTransmit(now, kTransmitBudget);
}

// A look waits for a round that there is anyway: an idle host needs no channels.
void Host::ScaleChannels(Time now) {
  for (uint32_t lane = 0; lane < loads_.size(); ++lane) {
    Occupancy occupancy;
    packets_->LaneOccupancy(lane, &occupancy.polls, &occupancy.full);
    const uint64_t polls = occupancy.polls - occupancy_[lane].polls;
    const uint64_t full = occupancy.full - occupancy_[lane].full;
    occupancy_[lane] = occupancy;
    loads_[lane] = {};
    loads_[lane].full = polls > 0 ? static_cast<double>(full) / static_cast<double>(polls) : 0;
  }
  for (const Lane* lane : lanes_) loads_[lane->info().index].queue = lane->info().queue;
  if (loads_from_ != nullptr) loads_from_->Sample(now, absl::MakeSpan(loads_));
  scaler_->Look(now, *packets_, loads_);
}

Time Host::NextTimeout() const { return std::min(driver_->NextTimeout(), sockets_->NextTimeout()); }

}  // namespace netchannel
