// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/raw_peer.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <optional>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "cli/interrupt.h"

namespace netchannel::cli {

namespace {

constexpr uint16_t kDiscardPort = 9;  // RFC 863
constexpr int kNeighbourTries = 50;
constexpr timespec kNeighbourPause{.tv_sec = 0, .tv_nsec = 20'000'000};

std::optional<wire::MacAddress> LookUp(const std::string& interface, const std::string& address) {
  std::ifstream table("/proc/net/arp");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string ip, type, flags, mac, mask, device;
    fields >> ip >> type >> flags >> mac >> mask >> device;
    if (ip != address || device != interface || flags == "0x0") continue;
    const auto parsed = ParseMac(mac);
    if (parsed.ok()) return *parsed;
  }
  return std::nullopt;
}

// Any datagram makes the kernel resolve the next hop; what becomes of the datagram does not matter.
void Provoke(const std::string& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(kDiscardPort);
  inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  sendto(fd, "", 0, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  close(fd);
}

}  // namespace

absl::StatusOr<wire::MacAddress> ParseMac(const std::string& text) {
  wire::MacAddress mac;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0], &mac[1], &mac[2],
                  &mac[3], &mac[4], &mac[5], &rest) != 6) {
    return absl::InvalidArgumentError(
        absl::StrCat("Ethernet address '", text, "': write it as aa:bb:cc:dd:ee:ff"));
  }
  return mac;
}

absl::StatusOr<wire::MacAddress> InterfaceMac(const std::string& interface) {
  ifreq request{};
  if (interface.size() >= sizeof(request.ifr_name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("interface ", interface, ": the name is too long"));
  }
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoError("socket");
  const int failed = ioctl(fd, SIOCGIFHWADDR, &request);
  const absl::Status status =
      failed == 0 ? absl::OkStatus() : ErrnoError(absl::StrCat("interface ", interface).c_str());
  close(fd);
  if (!status.ok()) return status;
  wire::MacAddress mac;
  std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
  return mac;
}

absl::StatusOr<wire::MacAddress> NeighbourMac(const std::string& interface,
                                              const wire::IpAddress& address) {
  const std::string text = address.ToString();
  for (int i = 0; i < kNeighbourTries; ++i) {
    if (const auto mac = LookUp(interface, text)) return *mac;
    if (i == 0) Provoke(text);
    nanosleep(&kNeighbourPause, nullptr);
    if (InterruptRequested()) return InterruptedError();
  }
  return absl::UnavailableError(absl::StrCat(text, " does not answer ARP on ", interface,
                                             "; is it on this link? --peer-mac names it without"));
}

}  // namespace netchannel::cli
