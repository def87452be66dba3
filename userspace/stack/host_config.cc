// SPDX-License-Identifier: Apache-2.0
#include "stack/host_config.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "netscheduler/core_placement.h"
#include "stack/core_facts.h"

namespace netchannel {

namespace {

// IP and UDP headers; options are never sent. That IPv6 needs more is the driver's matter.
constexpr uint32_t kIpv4UdpHeader = 20 + 8;

bool IsLinkLocal(const wire::IpAddress& address) {
  return !address.is_v4() && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

// The first of each family, IPv4 first.
std::vector<wire::IpAddress> FirstOfEachFamily(const std::vector<wire::IpAddress>& addresses) {
  std::vector<wire::IpAddress> chosen;
  for (const bool v4 : {true, false}) {
    const auto found =
        std::find_if(addresses.begin(), addresses.end(), [v4](const wire::IpAddress& address) {
          return address.is_v4() == v4 && !IsLinkLocal(address);
        });
    if (found != addresses.end()) chosen.push_back(*found);
  }
  return chosen;
}

// All, where none are configured: the NIC spreads packets over all of its queues, and one that
// arrives where no lane is does not reach the stack.
absl::StatusOr<std::vector<uint32_t>> ChooseQueues(const Config& config,
                                                   const xdp::InterfaceInfo& interface) {
  if (config.queues.empty() && interface.rx_queues > NC_MAX_QUEUES) {
    return absl::FailedPreconditionError(
        absl::StrCat("interface ", interface.name, ": has ", interface.rx_queues,
                     " receive queues, and a stack serves at most ", NC_MAX_QUEUES,
                     "; make them fewer with `ethtool -L ", interface.name, " combined ",
                     NC_MAX_QUEUES, "`, or choose those that packets arrive on: driver.queues"));
  }
  std::vector<uint32_t> queues = config.queues;
  for (uint32_t queue = 0; config.queues.empty() && queue < interface.rx_queues; ++queue) {
    queues.push_back(queue);
  }
  for (const uint32_t queue : queues) {
    if (queue >= interface.rx_queues) {
      return absl::InvalidArgumentError(
          absl::StrCat("driver.queues: interface ", interface.name, " has no receive queue ", queue,
                       ": choose from what it has, queues 0..", interface.rx_queues - 1));
    }
  }
  return queues;
}

xdp::ModePreference ToPreference(const std::string& mode) {
  if (mode == "copy") return xdp::ModePreference::kCopy;
  if (mode == "zero-copy") return xdp::ModePreference::kZeroCopy;
  return xdp::ModePreference::kAuto;
}

transport::ConnectionConfig MakeConnectionConfig(const Config& config, uint32_t mtu) {
  transport::ConnectionConfig connection;
  connection.congestion = config.congestion == "dctcp" ? transport::CongestionAlgorithm::kDctcp
                                                       : transport::CongestionAlgorithm::kCubic;
  connection.max_packet_size = mtu - kIpv4UdpHeader;
  if (!config.mtu_probing) connection.min_packet_size = connection.max_packet_size;
  connection.max_packets_in_flight = config.rx_ring;
  connection.ack_threshold = config.ack_packets;
  connection.max_ack_delay = Duration::Micros(config.ack_delay_us);
  connection.user_timeout = Duration::Millis(config.user_timeout_ms);
  connection.pacing = config.pacing;
  return connection;
}

}  // namespace

absl::StatusOr<std::vector<wire::IpAddress>> ChooseAddresses(
    const Config& config, const std::vector<wire::IpAddress>& of_interface) {
  if (config.addresses.empty()) {
    std::vector<wire::IpAddress> chosen = FirstOfEachFamily(of_interface);
    if (!chosen.empty()) return chosen;
    return absl::FailedPreconditionError(
        absl::StrCat("interface ", config.interface,
                     ": has no global IP address; give it one with `ip address add`"));
  }
  std::vector<wire::IpAddress> chosen;
  for (const std::string& text : config.addresses) {
    const auto address = wire::IpAddress::Parse(text);
    if (!address.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("host.addresses: ", address.status().message()));
    }
    if (std::find(of_interface.begin(), of_interface.end(), *address) == of_interface.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "host.addresses: ", text, " is not an address of interface ", config.interface,
          "; `ip address show dev ", config.interface, "` lists them"));
    }
    if (!chosen.empty() && chosen[0].is_v4() == address->is_v4()) {
      return absl::InvalidArgumentError("host.addresses: at most one IPv4 and one IPv6 address");
    }
    chosen.push_back(*address);
  }
  return chosen;
}

absl::StatusOr<XdpDeviceConfig> MakeDeviceConfig(const Config& config,
                                                 const std::vector<wire::IpAddress>& addresses,
                                                 const xdp::InterfaceInfo& interface) {
  const auto queues = ChooseQueues(config, interface);
  if (!queues.ok()) return queues.status();
  XdpDeviceConfig device;
  device.ifname = interface.name;
  for (const uint32_t queue : *queues) {
    device.lanes.push_back({queue, AppClass::kThroughput});
    device.lanes.push_back({queue, AppClass::kLatency});
  }
  device.base_port = config.port;
  device.addresses = addresses;
  device.mode = ToPreference(config.mode);
  device.rx_ring = config.rx_ring;
  device.tx_ring = config.tx_ring;
  device.channel_threads = config.channel_threads;
  device.thread_spin = Duration::Micros(config.spin_us);
  if (config.channel_threads > 0) {
    device.thread_cpus =
        PlaceThreads(ReadCores(), config.channel_threads, ReadNicNode(interface.name));
  }
  return device;
}

HostConfig MakeHostConfig(const Config& config, const std::vector<wire::IpAddress>& addresses,
                          uint32_t mtu) {
  wire::LocalAddresses own;
  for (const wire::IpAddress& address : addresses) own.Set(address);
  HostConfig host;
  host.driver.addresses = own;
  host.driver.base_port = config.port;
  const bool scaled = config.scaling_policy != "fixed";
  host.driver.channels_per_class =
      static_cast<uint8_t>(scaled ? config.max_channels : config.channels);
  host.driver.open_per_class = static_cast<uint8_t>(config.channels);
  host.scaling.policy = config.scaling_policy;
  host.scaling.least = config.channels;
  host.driver.connection =
      MakeConnectionConfig(config, config.mtu == 0 ? mtu : std::min(config.mtu, mtu));
  host.driver.channel_backlog_limit = ByteCount{config.channel_backlog_kib} * 1024;
  host.scaling.backlog_limit = host.driver.channel_backlog_limit;
  host.driver.handshake_timeout = Duration::Millis(config.handshake_timeout_ms);
  host.driver.idle_timeout = Duration::Millis(config.idle_timeout_ms);
  host.driver.keepalive_interval = Duration::Millis(config.keepalive_ms);
  host.driver.max_sessions = config.max_sessions;
  for (const std::string& network : config.networks) {
    host.driver.networks.Add(*IpPrefix::Parse(network));  // CheckConfig has seen it
  }
  host.driver.probe_time = Duration::Millis(config.probe_ms);
  host.driver.absent_time = Duration::Seconds(config.retry_after_s);

  host.scheduler.policy = config.policy;
  host.scheduler.quantum = ByteCount{config.quantum_kib} * 1024;

  host.sockets.addresses = own;
  host.sockets.peer_base_port = config.peer_port != 0 ? config.peer_port : config.port;
  host.sockets.ephemeral_first = static_cast<uint16_t>(config.ephemeral_first);
  host.sockets.ephemeral_last = static_cast<uint16_t>(config.ephemeral_last);
  host.sockets.max_sockets = config.max_sockets;
  host.sockets.automatic_class = config.automatic_class;
  host.sockets.initial_window = ByteCount{config.initial_window_kib} * 1024;
  host.sockets.connect_timeout = Duration::Millis(config.connect_timeout_ms);
  host.sockets.default_user_timeout = Duration::Millis(config.user_timeout_ms);
  return host;
}

}  // namespace netchannel
