// SPDX-License-Identifier: Apache-2.0
#include "live/relay/raw_port.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace netchannel::relay {
namespace {

constexpr size_t kBatch = 64;             // frames a system call; 64 amortise it
constexpr size_t kMaxFrame = 65536 + 32;  // an MTU of 65535, a link header, a VLAN tag
constexpr int kSocketBuffer = 64 << 20;   // bytes; the relay must not lose what the dice do not

absl::Status Failed(const char* what, const std::string& interface) {
  return absl::InternalError(absl::StrCat(what, " on ", interface, ": ", strerror(errno)));
}

}  // namespace

RawPort::RawPort(int fd) : fd_(fd), buffers_(kBatch * kMaxFrame) {}

RawPort::~RawPort() { close(fd_); }

absl::StatusOr<std::unique_ptr<RawPort>> RawPort::Open(const std::string& interface) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0)
    return absl::NotFoundError(absl::StrCat("no interface ", interface, " in this namespace"));
  // Protocol 0: nothing is received before bind() names the interface.
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Failed("socket(AF_PACKET)", interface);
  std::unique_ptr<RawPort> port(new RawPort(fd));
  const int on = 1;
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0) {
    return Failed("PACKET_IGNORE_OUTGOING", interface);
  }
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) != 0) {
    return Failed("PACKET_QDISC_BYPASS", interface);
  }
  // Larger than the limit needs CAP_NET_ADMIN; without it the kernel's limit holds.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBuffer, sizeof(kSocketBuffer)) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof(kSocketBuffer));
  }
  // A frame to another address than the interface's own arrives in promiscuous mode only.
  packet_mreq promiscuous{};
  promiscuous.mr_ifindex = static_cast<int>(index);
  promiscuous.mr_type = PACKET_MR_PROMISC;
  if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) != 0) {
    return Failed("PACKET_MR_PROMISC", interface);
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Failed("bind", interface);
  }
  return port;
}

absl::Span<const absl::Span<const std::byte>> RawPort::Receive() {
  std::array<iovec, kBatch> vectors;
  std::array<mmsghdr, kBatch> messages{};
  for (size_t i = 0; i < kBatch; ++i) {
    vectors[i] = {buffers_.data() + i * kMaxFrame, kMaxFrame};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int count = recvmmsg(fd_, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  frames_.clear();
  for (int i = 0; i < count; ++i) {
    frames_.emplace_back(buffers_.data() + static_cast<size_t>(i) * kMaxFrame,
                         messages[static_cast<size_t>(i)].msg_len);
  }
  return frames_;
}

bool RawPort::Send(absl::Span<const std::byte> frame) {
  return send(fd_, frame.data(), frame.size(), MSG_DONTWAIT) == static_cast<ssize_t>(frame.size());
}

uint32_t RawPort::TakeOverruns() {
  tpacket_stats stats{};
  socklen_t size = sizeof(stats);
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0) return 0;
  return stats.tp_drops;
}

}  // namespace netchannel::relay
