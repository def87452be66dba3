// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/raw_link.h"

#include <poll.h>

#include "absl/strings/str_cat.h"
#include "cli/bench/raw_peer.h"
#include "cli/interrupt.h"
#include "netdriver/xdp/interface.h"

namespace netchannel::cli {

namespace {

// Lane 0's UDP port of a stack with default settings: the two cannot run on a queue at once anyway.
constexpr uint16_t kUdpPort = 37000;

absl::StatusOr<wire::IpAddress> OwnIpv4(const std::string& interface) {
  const auto addresses = xdp::InterfaceAddresses(interface);
  if (!addresses.ok()) return addresses.status();
  for (const wire::IpAddress& address : *addresses) {
    if (address.is_v4()) return address;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("interface ", interface, ": --over raw needs an IPv4 address on it"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RawLink>> RawLink::Open(const EndpointOptions& options) {
  const auto mac = InterfaceMac(options.interface);
  if (!mac.ok()) return mac.status();
  const auto ip = OwnIpv4(options.interface);
  if (!ip.ok()) return ip.status();
  XdpDeviceConfig config;
  config.ifname = options.interface;
  config.lanes = {XdpLaneConfig{.queue = options.queue}};
  config.base_port = kUdpPort;
  config.addresses = {*ip};
  auto device = XdpDevice::Open(config);
  if (!device.ok()) return device.status();

  std::unique_ptr<RawLink> link(new RawLink());
  link->device_ = *std::move(device);
  link->lane_ = link->device_->lanes().front();
  link->addresses_.own_mac = *mac;
  link->addresses_.own_ip = ip->v4();
  link->addresses_.port = kUdpPort;
  return link;
}

absl::Status RawLink::FindPeer(const EndpointOptions& options) {
  const auto ip = wire::IpAddress::Parse(options.address);
  if (!ip.ok()) return ip.status();
  if (!ip->is_v4()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--connect ", options.address, ": --over raw speaks IPv4 only"));
  }
  const auto mac =
      options.peer_mac.empty() ? NeighbourMac(options.interface, *ip) : ParseMac(options.peer_mac);
  if (!mac.ok()) return mac.status();
  addresses_.peer_mac = *mac;
  addresses_.peer_ip = ip->v4();
  writer_.emplace(addresses_);
  return absl::OkStatus();
}

void RawLink::AnswerTo(const RxPacket& request) {
  const auto first = request.first();
  const auto ethernet = wire::EthernetView::Parse(first);
  wire::Ipv4View ip;
  if (!ethernet || ethernet->ether_type() != wire::kEtherTypeIpv4 ||
      wire::Ipv4View::Parse(first.subspan(ethernet->header_size()),
                            request.length - ethernet->header_size(),
                            &ip) != wire::IpError::kNone) {
    return;
  }
  addresses_.peer_mac = ethernet->source();
  addresses_.peer_ip = ip.source().v4();
  writer_.emplace(addresses_);
}

bool RawLink::SendNow(RawKind kind, absl::Span<const std::byte> payload) {
  while (!Send(kind, payload)) {
    Flush();
    if (InterruptRequested()) return false;
  }
  while (!Flush()) {
    if (InterruptRequested()) return false;
  }
  return true;
}

void RawLink::Sleep(Duration limit) {
  pollfd wait{.fd = lane_->wait_fd(), .events = POLLIN, .revents = 0};
  poll(&wait, 1, static_cast<int>(limit.nanos() / 1'000'000));
}

}  // namespace netchannel::cli
