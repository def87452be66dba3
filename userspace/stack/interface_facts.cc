// SPDX-License-Identifier: Apache-2.0
#include "stack/interface_facts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace netchannel {

namespace {

std::string InterfaceNames() {
  std::vector<std::string> names;
  if (struct if_nameindex* list = if_nameindex(); list != nullptr) {
    for (struct if_nameindex* i = list; i->if_index != 0; ++i) names.emplace_back(i->if_name);
    if_freenameindex(list);
  }
  return absl::StrJoin(names, ", ");
}

// Receive queues in use: "rx" channels and "combined" ones both receive. Drivers without the query
// have one.
uint32_t CountRxQueues(int fd, ifreq request) {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  request.ifr_data = reinterpret_cast<char*>(&channels);
  if (ioctl(fd, SIOCETHTOOL, &request) != 0) return 1;
  return std::max(1u, channels.rx_count + channels.combined_count);
}

std::vector<wire::IpAddress> GlobalAddresses(const std::string& name) {
  std::vector<wire::IpAddress> v4;
  std::vector<wire::IpAddress> v6;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return v4;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || name != entry->ifa_name) continue;
    if (entry->ifa_addr->sa_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
      v4.push_back(wire::IpAddress::V4(ntohl(address->sin_addr.s_addr)));
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
      if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) continue;
      std::array<uint8_t, 16> bytes;
      std::memcpy(bytes.data(), &address->sin6_addr, bytes.size());
      v6.push_back(wire::IpAddress::V6(bytes));
    }
  }
  freeifaddrs(list);
  v4.insert(v4.end(), v6.begin(), v6.end());
  return v4;
}

}  // namespace

absl::StatusOr<InterfaceFacts> ReadInterfaceFacts(absl::string_view interface) {
  InterfaceFacts facts;
  facts.name = std::string(interface);
  facts.index = if_nametoindex(facts.name.c_str());
  if (facts.index == 0 || facts.name.size() >= IFNAMSIZ) {
    return absl::NotFoundError(absl::StrCat(
        "interface ", interface, ": not in this network namespace; it has ", InterfaceNames()));
  }
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return absl::InternalError(absl::StrCat("interface ", interface,
                                            ": cannot open a socket to ask ",
                                            "for its MTU: ", std::strerror(errno)));
  }
  ifreq request{};
  std::memcpy(request.ifr_name, facts.name.c_str(), facts.name.size() + 1);
  if (ioctl(fd, SIOCGIFMTU, &request) == 0) facts.mtu = static_cast<uint32_t>(request.ifr_mtu);
  facts.rx_queues = CountRxQueues(fd, request);
  const bool up = ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
  close(fd);
  if (!up) {
    return absl::FailedPreconditionError(absl::StrCat(
        "interface ", interface, ": is down; bring it up with `ip link set ", interface, " up`"));
  }
  facts.addresses = GlobalAddresses(facts.name);
  return facts;
}

}  // namespace netchannel
