// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/xsk.h"

#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "absl/strings/str_cat.h"
#include "netdriver/xdp/failure.h"
#include "netdriver/xdp/umem.h"

namespace netchannel::xdp {
namespace {

// The kernel tears a closed socket down from a work queue: its queue stays busy for some 10 ms,
// longer on a loaded machine. 1 + 2 + ... + 512 ms is what we wait before the queue counts as
// someone else's.
constexpr std::chrono::milliseconds kFirstBusyWait{1};
constexpr int kBusyRetries = 10;

absl::Status BindFailure(int error, const XskConfig& config) {
  const std::string what =
      absl::StrCat("bind an AF_XDP socket to ", config.ifname, " queue ", config.queue);
  switch (error) {
    case EBUSY:
      return Failure(
          error, what,
          "another process (a second stack?) owns this queue: stop it, or choose other queues");
    case EPERM:
      return Failure(error, what, "run with CAP_NET_RAW, or as root");
    case EINVAL:
      return Failure(
          error, what,
          absl::StrCat("check that the queue exists (ethtool -l ", config.ifname,
                       ") and that the kernel has multi-buffer AF_XDP (Linux 6.6) if the MTU "
                       "is above 3500"));
    case ENETDOWN:
      return Failure(error, what, absl::StrCat("ip link set ", config.ifname, " up"));
    case EAFNOSUPPORT:
      return Failure(error, what, "use a kernel with CONFIG_XDP_SOCKETS");
    case EOPNOTSUPP:
      return Failure(error, what, "the driver has no zero-copy: set driver.mode to auto or copy");
    case ENOMEM:
    case ENOBUFS:
      return Failure(error, what, "give CAP_IPC_LOCK, or raise `ulimit -l`");
    default:
      return Failure(error, what, "see `dmesg`");
  }
}

uint16_t BindFlags(bool zero_copy, bool multi_buffer) {
  return static_cast<uint16_t>((zero_copy ? XDP_ZEROCOPY : XDP_COPY) | XDP_USE_NEED_WAKEUP |
                               (multi_buffer ? XDP_USE_SG : 0));
}

}  // namespace

absl::StatusOr<std::unique_ptr<XskUmem>> XskUmem::Register(absl::Span<std::byte> area,
                                                           const Rings& rings) {
  xsk_umem_config config{};
  config.fill_size = rings.fill_size;
  config.comp_size = rings.completion_size;
  config.frame_size = kChunkSize;
  config.frame_headroom = 0;
  xsk_umem* umem = nullptr;
  const int error =
      -xsk_umem__create(&umem, area.data(), area.size(), rings.fill, rings.completion, &config);
  if (error == 0) return std::unique_ptr<XskUmem>(new XskUmem(umem));
  const std::string what = absl::StrCat("register ", area.size() >> 20, " MiB as AF_XDP memory");
  if (error == EPERM) return Failure(error, what, "run with CAP_NET_RAW, or as root");
  if (error == EAFNOSUPPORT) return Failure(error, what, "use a kernel with CONFIG_XDP_SOCKETS");
  return Failure(error, what, "give CAP_IPC_LOCK, or raise `ulimit -l`");
}

int Xsk::Bind(const XskConfig& config, XskUmem* umem, uint16_t bind_flags) {
  xsk_socket_config socket_config{};
  socket_config.rx_size = config.rx_ring;
  socket_config.tx_size = config.tx_ring;
  socket_config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
  socket_config.bind_flags = bind_flags;
  auto wait = kFirstBusyWait;
  int error = 0;
  for (int attempt = 0; attempt <= kBusyRetries; ++attempt) {
    error = -xsk_socket__create_shared(&socket_, config.ifname.c_str(), config.queue, umem->get(),
                                       &rx, &tx, config.fill, config.completion, &socket_config);
    if (error != EBUSY) break;
    std::this_thread::sleep_for(wait);
    wait *= 2;
  }
  return error;
}

absl::StatusOr<std::unique_ptr<Xsk>> Xsk::CreateFirst(const XskConfig& config, XskUmem* umem,
                                                      ModePreference preference, bool multi_buffer,
                                                      BindMode* mode) {
  std::unique_ptr<Xsk> xsk(new Xsk());
  mode->multi_buffer = multi_buffer;
  if (preference != ModePreference::kCopy) {
    const int error = xsk->Bind(config, umem, BindFlags(true, multi_buffer));
    if (error == 0) {
      mode->zero_copy = true;
      mode->reason = "granted by the driver";
      return xsk;
    }
    if (error == EBUSY || preference == ModePreference::kZeroCopy)
      return BindFailure(error, config);
    mode->reason = absl::StrCat("zero-copy refused: ", std::strerror(error));
  }
  const int error = xsk->Bind(config, umem, BindFlags(false, multi_buffer));
  if (error != 0) return BindFailure(error, config);
  mode->zero_copy = false;
  return xsk;
}

absl::StatusOr<std::unique_ptr<Xsk>> Xsk::CreateFurther(const XskConfig& config, XskUmem* umem) {
  std::unique_ptr<Xsk> xsk(new Xsk());
  const int error = xsk->Bind(config, umem, 0);
  if (error != 0) return BindFailure(error, config);
  return xsk;
}

absl::StatusOr<std::unique_ptr<Xsk>> Xsk::CreateSibling(const XskConfig& config, const Xsk& first) {
  std::unique_ptr<Xsk> xsk(new Xsk());
  const SiblingSocket::Place place{.ifindex = if_nametoindex(config.ifname.c_str()),
                                   .queue = config.queue,
                                   .rx_ring = config.rx_ring,
                                   .tx_ring = config.tx_ring,
                                   .first_fd = first.fd()};
  int error = 0;
  xsk->sibling_ = SiblingSocket::Bind(place, &xsk->rx, &xsk->tx, &error);
  if (error != 0) return BindFailure(error, config);
  return xsk;
}

bool Xsk::zero_copy() const {
  xdp_options options{};
  socklen_t length = sizeof(options);
  return getsockopt(fd(), SOL_XDP, XDP_OPTIONS, &options, &length) == 0 &&
         (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}

xdp_statistics Xsk::statistics() const {
  xdp_statistics statistics{};
  socklen_t length = sizeof(statistics);
  getsockopt(fd(), SOL_XDP, XDP_STATISTICS, &statistics, &length);
  return statistics;
}

void Xsk::RaiseLimits(uint32_t bytes, uint32_t descriptors) {
  const int size = static_cast<int>(bytes);
  if (setsockopt(fd(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0) {
    setsockopt(fd(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  }
  setsockopt(fd(), SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &descriptors, sizeof(descriptors));
}

int Xsk::KickTx() { return sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0 ? 0 : errno; }

void Xsk::KickRx() { recvfrom(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr); }

}  // namespace netchannel::xdp
