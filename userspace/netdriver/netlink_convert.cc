// SPDX-License-Identifier: Apache-2.0
#include "netdriver/netlink_convert.h"

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace netchannel::netlink {

Address ToNetlink(const wire::IpAddress& address) {
  if (address.is_v4()) {
    uint32_t v4 = htonl(address.v4());
    return Address(nl_addr_build(AF_INET, &v4, sizeof(v4)));
  }
  std::array<uint8_t, 16> v6 = address.bytes;
  return Address(nl_addr_build(AF_INET6, v6.data(), v6.size()));
}

std::optional<wire::IpAddress> ToIpAddress(nl_addr* address) {
  if (address == nullptr) return std::nullopt;
  const void* bytes = nl_addr_get_binary_addr(address);
  if (nl_addr_get_family(address) == AF_INET && nl_addr_get_len(address) == 4) {
    uint32_t v4 = 0;
    std::memcpy(&v4, bytes, sizeof(v4));
    return wire::IpAddress::V4(ntohl(v4));
  }
  if (nl_addr_get_family(address) == AF_INET6 && nl_addr_get_len(address) == 16) {
    std::array<uint8_t, 16> v6{};
    std::memcpy(v6.data(), bytes, v6.size());
    return wire::IpAddress::V6(v6);
  }
  return std::nullopt;
}

std::optional<wire::MacAddress> ToMacAddress(nl_addr* address) {
  wire::MacAddress mac{};
  if (address == nullptr || nl_addr_get_len(address) != mac.size()) return std::nullopt;
  std::memcpy(mac.data(), nl_addr_get_binary_addr(address), mac.size());
  return mac;
}

NeighbourAnswer ToAnswer(rtnl_neigh* neighbour) {
  constexpr int kUsable =
      NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
  NeighbourAnswer answer;
  const int state = rtnl_neigh_get_state(neighbour);
  if (state < 0 || (state & kUsable) == 0) return answer;
  answer.address = ToMacAddress(rtnl_neigh_get_lladdr(neighbour));
  answer.stale = (state & NUD_STALE) != 0;
  return answer;
}

}  // namespace netchannel::netlink
