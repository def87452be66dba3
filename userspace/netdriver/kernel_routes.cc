// SPDX-License-Identifier: Apache-2.0
#include "netdriver/kernel_routes.h"

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link/vlan.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "netdriver/netlink_convert.h"

namespace netchannel {
namespace {

// RFC 863: whoever is at the other end throws it away.
constexpr uint16_t kDiscardPort = 9;

int TakeNeighbour(nl_msg* message, void* out) {
  rtnl_neigh* neighbour = nullptr;
  if (nlmsg_hdr(message)->nlmsg_type == RTM_NEWNEIGH &&
      rtnl_neigh_parse(nlmsg_hdr(message), &neighbour) == 0) {
    static_cast<netlink::Neighbour*>(out)->reset(neighbour);
  }
  return NL_OK;
}

netlink::Message NeighbourRequest(int type, int flags, int interface, uint8_t ntf,
                                  const wire::IpAddress& next_hop) {
  netlink::Message message(nlmsg_alloc_simple(type, flags));
  const netlink::Address address = netlink::ToNetlink(next_hop);
  if (message == nullptr || address == nullptr) return nullptr;
  ndmsg header{};
  header.ndm_family = static_cast<uint8_t>(nl_addr_get_family(address.get()));
  header.ndm_ifindex = interface;
  header.ndm_flags = ntf;
  if (nlmsg_append(message.get(), &header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
      nla_put_addr(message.get(), NDA_DST, address.get()) < 0) {
    return nullptr;
  }
  return message;
}

void SolicitByDatagram(int interface, const wire::IpAddress& next_hop) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (next_hop.is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(kDiscardPort);
    in->sin_addr.s_addr = htonl(next_hop.v4());
    length = sizeof(*in);
  } else {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(kDiscardPort);
    in6->sin6_scope_id = static_cast<uint32_t>(interface);  // for link-local gateways
    std::memcpy(&in6->sin6_addr, next_hop.bytes.data(), next_hop.bytes.size());
    length = sizeof(*in6);
  }
  const int fd = socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  // What fails here shows as a neighbour that stays unknown.
  (void)sendto(fd, nullptr, 0, 0, reinterpret_cast<const sockaddr*>(&storage), length);
  close(fd);
}

}  // namespace

absl::StatusOr<std::unique_ptr<KernelRoutes>> KernelRoutes::Open() {
  nl_sock* socket = nl_socket_alloc();
  if (socket == nullptr) return absl::ResourceExhaustedError("open a netlink socket: no memory");
  auto routes = std::unique_ptr<KernelRoutes>(new KernelRoutes(socket));
  if (const int error = nl_connect(socket, NETLINK_ROUTE); error < 0) {
    return absl::UnavailableError(
        absl::StrCat("connect to the kernel's routing tables: ", nl_geterror(error),
                     "; allow this process AF_NETLINK sockets and more open files (`ulimit -n`)"));
  }
  // One reply a request: an acknowledgement after the answer would be a second one to wait for.
  nl_socket_disable_auto_ack(socket);
  return routes;
}

KernelRoutes::~KernelRoutes() { nl_socket_free(socket_); }

absl::StatusOr<RouteAnswer> KernelRoutes::Route(const wire::IpAddress& destination) {
  const netlink::Address address = netlink::ToNetlink(destination);
  if (address == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("look up the route to ", destination.ToString(), ": no memory"));
  }
  rtnl_route* found = nullptr;
  // libnl has no names for most of what the kernel answers here (ENETUNREACH, EHOSTUNREACH).
  if (rtnl_route_lookup(socket_, address.get(), &found) < 0) {
    return absl::NotFoundError(
        absl::StrCat("no route to ", destination.ToString(), "; see `ip route get`"));
  }
  const netlink::Route route(found);
  if (rtnl_route_get_type(found) != RTN_UNICAST || rtnl_route_get_nnexthops(found) < 1) {
    return absl::NotFoundError(absl::StrCat(
        destination.ToString(), " is not another host: the kernel's route is not unicast"));
  }
  rtnl_nexthop* hop = rtnl_route_nexthop_n(found, 0);
  RouteAnswer answer;
  answer.interface = rtnl_route_nh_get_ifindex(hop);
  answer.next_hop = destination;
  if (auto gateway = netlink::ToIpAddress(rtnl_route_nh_get_gateway(hop))) {
    answer.next_hop = *gateway;
  } else if (auto via = netlink::ToIpAddress(rtnl_route_nh_get_via(hop))) {
    answer.next_hop = *via;  // RFC 5549: an IPv4 destination behind an IPv6 gateway
  }
  return answer;
}

absl::StatusOr<LinkAnswer> KernelRoutes::Link(int output, int port) {
  LinkAnswer answer;
  int interface = output;
  for (;;) {
    rtnl_link* found = nullptr;
    if (const int error = rtnl_link_get_kernel(socket_, interface, nullptr, &found); error < 0) {
      return absl::NotFoundError(absl::StrCat("interface ", interface, ": ", nl_geterror(error)));
    }
    const netlink::Link link(found);
    if (interface == output) {
      const auto mac = netlink::ToMacAddress(rtnl_link_get_addr(found));
      if (!mac) return absl::FailedPreconditionError("the output interface is not Ethernet");
      answer.source = *mac;
    }
    if (interface == port) return answer;
    if (!rtnl_link_is_vlan(found) || answer.tags.size() == wire::kMaxVlanTags) {
      return absl::FailedPreconditionError(absl::StrCat("the route leaves through ",
                                                        rtnl_link_get_name(found),
                                                        ", not through this stack's interface"));
    }
    const int protocol =
        rtnl_link_vlan_get_protocol(found);  // network order; absent on old kernels
    wire::VlanTag tag;
    if (protocol > 0) tag.protocol = ntohs(static_cast<uint16_t>(protocol));
    tag.control = static_cast<uint16_t>(rtnl_link_vlan_get_id(found));
    answer.tags.insert(answer.tags.begin(), tag);  // we come from the innermost
    interface = rtnl_link_get_link(found);
  }
}

NeighbourAnswer KernelRoutes::Neighbour(int interface, const wire::IpAddress& next_hop) {
  const netlink::Message request =
      NeighbourRequest(RTM_GETNEIGH, NLM_F_REQUEST, interface, 0, next_hop);
  if (request == nullptr || nl_send_auto(socket_, request.get()) < 0) return {};
  netlink::Neighbour neighbour;
  nl_cb* callbacks = nl_cb_alloc(NL_CB_DEFAULT);
  if (callbacks == nullptr) return {};
  nl_cb_set(callbacks, NL_CB_VALID, NL_CB_CUSTOM, TakeNeighbour, &neighbour);
  const int error = nl_recvmsgs(socket_, callbacks);
  nl_cb_put(callbacks);
  if (error < 0 || neighbour == nullptr) return {};
  return netlink::ToAnswer(neighbour.get());
}

bool KernelRoutes::SolicitByNetlink(int interface, const wire::IpAddress& next_hop) {
  const netlink::Message request = NeighbourRequest(
      RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, interface, NTF_USE, next_hop);
  if (request == nullptr || nl_send_auto(socket_, request.get()) < 0) return false;
  return nl_wait_for_ack(socket_) >= 0;
}

void KernelRoutes::Solicit(int interface, const wire::IpAddress& next_hop) {
  if (!SolicitByNetlink(interface, next_hop)) SolicitByDatagram(interface, next_hop);
}

}  // namespace netchannel
