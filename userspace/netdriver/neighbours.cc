// SPDX-License-Identifier: Apache-2.0
#include "netdriver/neighbours.h"

#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "netdriver/netlink_convert.h"

namespace netchannel {
namespace {

// Change notices that one Poll takes in; the rest waits for the next one (the descriptor stays
// readable).
constexpr int kMaxBatchesPerPoll = 64;

}  // namespace

static_assert(wire::kMaxLinkHeaderSize == sizeof(LinkHeader::bytes));

LinkHeader BuildLinkHeader(const wire::MacAddress& to, const LinkAnswer& link,
                           const wire::IpAddress& destination) {
  wire::EthernetHeader ethernet{.destination = to, .source = link.source};
  for (const wire::VlanTag& tag : link.tags) ethernet.tags[ethernet.tag_count++] = tag;
  ethernet.ether_type = destination.is_v4() ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6;
  LinkHeader header;
  ethernet.Build(absl::MakeSpan(header.bytes));
  header.length = static_cast<uint8_t>(ethernet.size());
  return header;
}

absl::StatusOr<std::unique_ptr<NetlinkNextHops>> NetlinkNextHops::Open(int interface) {
  auto routes = KernelRoutes::Open();
  if (!routes.ok()) return routes.status();
  nl_sock* events = nl_socket_alloc();
  if (events == nullptr) return absl::ResourceExhaustedError("netlink: no memory for a socket");
  auto hops =
      std::unique_ptr<NetlinkNextHops>(new NetlinkNextHops(interface, *std::move(routes), events));
  nl_socket_disable_seq_check(events);
  nl_socket_modify_cb(events, NL_CB_VALID, NL_CB_CUSTOM, OnMessage, hops.get());
  int error = nl_connect(events, NETLINK_ROUTE);
  if (error >= 0) error = nl_socket_set_nonblocking(events);
  if (error >= 0) {
    error = nl_socket_add_memberships(events, RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                      RTNLGRP_LINK, 0);
  }
  if (error < 0) {
    return absl::UnavailableError(
        absl::StrCat("netlink: following routes and neighbours: ", nl_geterror(error)));
  }
  return hops;
}

NetlinkNextHops::~NetlinkNextHops() { nl_socket_free(events_); }

int NetlinkNextHops::fd() const { return nl_socket_get_fd(events_); }

absl::StatusOr<NetlinkNextHops::Entry> NetlinkNextHops::Ask(const wire::IpAddress& destination) {
  const auto route = routes_->Route(destination);
  if (!route.ok()) return route.status();
  auto link = routes_->Link(route->interface, interface_);
  if (!link.ok()) return link.status();
  Entry entry;
  entry.has_route = true;
  entry.route = *route;
  entry.link = *std::move(link);
  Apply(destination, routes_->Neighbour(route->interface, route->next_hop), entry);
  return entry;
}

void NetlinkNextHops::Apply(const wire::IpAddress& destination, const NeighbourAnswer& answer,
                            Entry& entry) {
  entry.header.reset();
  if (answer.address) entry.header = BuildLinkHeader(*answer.address, entry.link, destination);
}

const NetlinkNextHops::Entry& NetlinkNextHops::Look(const wire::IpAddress& destination) {
  if (const auto known = entries_.find(destination); known != entries_.end()) return known->second;
  if (entries_.size() >= kMaxEntries) entries_.clear();
  auto asked = Ask(destination);
  return entries_.emplace(destination, asked.ok() ? *std::move(asked) : Entry{}).first->second;
}

std::optional<LinkHeader> NetlinkNextHops::Find(const wire::IpAddress& destination) {
  const Entry& entry = Look(destination);
  if (entry.has_route && !entry.header) {
    routes_->Solicit(entry.route.interface, entry.route.next_hop);
  }
  return entry.header;
}

bool NetlinkNextHops::Reaches(const wire::IpAddress& destination) {
  return Look(destination).has_route;
}

absl::Status NetlinkNextHops::Explain(const wire::IpAddress& destination) {
  const auto entry = Ask(destination);
  if (!entry.ok()) return entry.status();
  if (entry->header) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("neighbour ", entry->route.next_hop.ToString(),
                                             " does not answer; see `ip neigh`"));
}

void NetlinkNextHops::Poll() {
  for (int i = 0; i < kMaxBatchesPerPoll; ++i) {
    const int error = nl_recvmsgs_default(events_);
    if (error == -NLE_AGAIN) return;
    // Notices are lost (ENOBUFS shows as NLE_NOMEM) or unreadable: what is cached may be wrong.
    if (error < 0) Forget();
  }
}

int NetlinkNextHops::OnMessage(nl_msg* message, void* self) {
  auto* hops = static_cast<NetlinkNextHops*>(self);
  nlmsghdr* header = nlmsg_hdr(message);
  switch (header->nlmsg_type) {
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      hops->OnNeighbour(header);
      break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
    case RTM_NEWLINK:
    case RTM_DELLINK:
      hops->Forget();
      break;
    default:
      break;
  }
  return NL_OK;
}

void NetlinkNextHops::Forget() {
  entries_.clear();
  ++version_;
}

void NetlinkNextHops::OnNeighbour(nlmsghdr* header) {
  rtnl_neigh* parsed = nullptr;
  if (rtnl_neigh_parse(header, &parsed) != 0) return;
  const netlink::Neighbour neighbour(parsed);
  const auto address = netlink::ToIpAddress(rtnl_neigh_get_dst(parsed));
  if (!address) return;
  const int interface = rtnl_neigh_get_ifindex(parsed);
  const NeighbourAnswer answer =
      header->nlmsg_type == RTM_DELNEIGH ? NeighbourAnswer{} : netlink::ToAnswer(parsed);
  bool in_use = false;
  for (auto& [destination, entry] : entries_) {
    if (!entry.has_route || entry.route.interface != interface ||
        entry.route.next_hop != *address) {
      continue;
    }
    in_use = true;
    const auto before = entry.header;
    Apply(destination, answer, entry);
    if (entry.header != before) ++version_;
  }
  if (in_use && answer.stale) routes_->Solicit(interface, *address);
}

}  // namespace netchannel
