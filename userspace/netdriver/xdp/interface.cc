// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/interface.h"

#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"
#include "netdriver/xdp/failure.h"

namespace netchannel::xdp {
namespace {

ifreq Request(const std::string& ifname) {
  ifreq request{};
  std::memcpy(request.ifr_name, ifname.data(),
              std::min(ifname.size(), sizeof(request.ifr_name) - 1));
  return request;
}

// False when the driver does not answer the question.
template <typename Command>
bool Ethtool(int fd, const std::string& ifname, Command* command) {
  ifreq request = Request(ifname);
  request.ifr_data = reinterpret_cast<char*>(command);
  return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

}  // namespace

absl::StatusOr<InterfaceInfo> QueryInterface(const std::string& ifname) {
  InterfaceInfo info;
  info.name = ifname;
  info.ifindex = if_nametoindex(ifname.c_str());
  if (info.ifindex == 0) {
    return absl::NotFoundError(absl::StrCat("no interface \"", ifname,
                                            "\" in this network namespace; `ip link` lists them"));
  }
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Failure(errno, "open a control socket", "raise the limit of open files");

  ifreq request = Request(ifname);
  if (ioctl(fd.get(), SIOCGIFMTU, &request) != 0) {
    return Failure(errno, absl::StrCat("read the MTU of ", ifname), "check `ip link`");
  }
  info.mtu = static_cast<uint32_t>(request.ifr_mtu);
  request = Request(ifname);
  if (ioctl(fd.get(), SIOCGIFFLAGS, &request) == 0) info.up = (request.ifr_flags & IFF_UP) != 0;

  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (Ethtool(fd.get(), ifname, &channels)) {
    info.rx_queues = std::max(1u, channels.combined_count + channels.rx_count);
    info.tx_queues = std::max(1u, channels.combined_count + channels.tx_count);
  }
  ethtool_drvinfo driver{};
  driver.cmd = ETHTOOL_GDRVINFO;
  if (Ethtool(fd.get(), ifname, &driver)) {
    info.driver = std::string(driver.driver, strnlen(driver.driver, sizeof(driver.driver)));
  }
  return info;
}

absl::StatusOr<std::vector<wire::IpAddress>> InterfaceAddresses(const std::string& ifname) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    return Failure(errno, absl::StrCat("list the addresses of ", ifname), "check `ip address`");
  }
  std::vector<wire::IpAddress> addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || ifname != entry->ifa_name) continue;
    if (entry->ifa_addr->sa_family == AF_INET) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
      addresses.push_back(wire::IpAddress::V4(ntohl(v4->sin_addr.s_addr)));
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      const auto* v6 = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
      std::array<uint8_t, 16> bytes;
      std::memcpy(bytes.data(), &v6->sin6_addr, bytes.size());
      addresses.push_back(wire::IpAddress::V6(bytes));
    }
  }
  freeifaddrs(list);
  return addresses;
}

}  // namespace netchannel::xdp
