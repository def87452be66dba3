// SPDX-License-Identifier: Apache-2.0
#include "stack/status.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "netdriver/drop_reason.h"

namespace netchannel {

namespace {

using Json = nlohmann::ordered_json;

const char* ClassName(AppClass app_class) {
  return app_class == AppClass::kLatency ? "latency" : "throughput";
}

Json StackPart(const Config& config, const std::vector<wire::IpAddress>& addresses) {
  Json own = Json::array();
  for (const wire::IpAddress& address : addresses) own.push_back(address.ToString());
  return {{"pid", getpid()},
          {"interface", config.interface},
          {"addresses", own},
          {"port", config.port},
          {"policy", config.policy}};
}

Json DevicePart(const XdpDevice& device) {
  const XdpDeviceStatus status = device.status();
  return {{"driver", status.interface.driver},
          {"mtu", status.interface.mtu},
          {"rx_queues", status.interface.rx_queues},
          {"uncovered_queues", status.uncovered_queues},
          {"attached", status.attachment.mode == NC_ATTACH_GENERIC ? "generic" : "native"},
          {"attached_by", status.attachment.owner == NC_OWNER_DISPATCHER ? "dispatcher" : "alone"},
          {"attached_why", std::string(status.attachment.reason)},
          {"mode", status.mode.zero_copy ? "zero-copy" : "copy"},
          {"mode_why", status.mode.reason},
          {"multi_buffer", status.mode.multi_buffer},
          {"umem_bytes", status.budget.bytes()},
          {"rebuilds", status.rebuilds}};
}

Json LanePart(const XdpDevice& device) {
  Json lanes = Json::array();
  for (const auto& lane : device.xdp_lanes()) {
    const LaneStats stats = lane->ReadStats();
    lanes.push_back({{"lane", lane->info().index},
                     {"queue", lane->info().queue},
                     {"class", ClassName(static_cast<AppClass>(lane->info().app_class))},
                     {"port", lane->udp_port()},
                     {"rx_packets", stats.rx_packets},
                     {"rx_bytes", stats.rx_bytes},
                     {"tx_packets", stats.tx_packets},
                     {"tx_bytes", stats.tx_bytes},
                     {"handed_over", stats.handed_over},
                     {"rx_too_long", stats.rx_too_long},
                     {"tx_kicks", stats.tx_kicks},
                     {"tx_again", stats.tx_again},
                     {"tx_dropped", stats.tx_dropped},
                     {"tx_errors", stats.tx_errors},
                     {"rx_dropped", stats.rx_dropped},
                     {"rx_ring_full", stats.rx_ring_full},
                     {"rx_fill_ring_empty", stats.rx_fill_ring_empty_descs}});
  }
  return lanes;
}

Json VerdictPart(const XdpDevice& device) {
  Json verdicts = Json::object();
  const absl::StatusOr<xdp::VerdictCounters> counters = device.ReadVerdicts();
  if (!counters.ok()) return std::string(counters.status().message());
  for (size_t i = 0; i < counters->size(); ++i) {
    verdicts[nc_verdict_name(static_cast<nc_verdict>(i))] = (*counters)[i];
  }
  return verdicts;
}

Json DropPart(const Host& host) {
  Json drops = Json::object();
  for (size_t i = 0; i < static_cast<size_t>(DropReason::kCount); ++i) {
    const auto reason = static_cast<DropReason>(i);
    drops[std::string(DropReasonName(reason))] = host.driver().drops(reason);
  }
  return drops;
}

}  // namespace

std::string BuildStatus(const Config& config, const std::vector<wire::IpAddress>& addresses,
                        const XdpDevice& device, Host& host) {
  const Json status = {
      {"stack", StackPart(config, addresses)}, {"device", DevicePart(device)},
      {"lanes", LanePart(device)},             {"verdicts", VerdictPart(device)},
      {"drops", DropPart(host)},
  };
  return status.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace netchannel
