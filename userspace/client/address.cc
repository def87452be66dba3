// SPDX-License-Identifier: Apache-2.0
#include "client/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace netchannel {
namespace {

constexpr uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr uint8_t kUnspecified[16] = {};

bool IsV4(const ipc::Address& address) {
  // A socket without an address has none of either family: shown as 0.0.0.0, as a fresh AF_INET
  // socket.
  if (address.port == 0 && std::memcmp(address.ip, kUnspecified, sizeof(kUnspecified)) == 0)
    return true;
  return std::memcmp(address.ip, kMappedPrefix, sizeof(kMappedPrefix)) == 0;
}

}  // namespace

int ParseSockaddr(const sockaddr* address, socklen_t length, ipc::Address* out) {
  if (address == nullptr || length < sizeof(sa_family_t)) return EINVAL;
  sa_family_t family;
  std::memcpy(&family, address, sizeof(family));
  *out = ipc::Address{};
  if (family == AF_INET) {
    sockaddr_in v4;
    if (length < sizeof(v4)) return EINVAL;
    std::memcpy(&v4, address, sizeof(v4));
    std::memcpy(out->ip, kMappedPrefix, sizeof(kMappedPrefix));
    std::memcpy(out->ip + sizeof(kMappedPrefix), &v4.sin_addr, sizeof(v4.sin_addr));
    out->port = ntohs(v4.sin_port);
    return 0;
  }
  if (family == AF_INET6) {
    sockaddr_in6 v6;
    if (length < sizeof(v6)) return EINVAL;
    std::memcpy(&v6, address, sizeof(v6));
    std::memcpy(out->ip, &v6.sin6_addr, sizeof(v6.sin6_addr));
    out->port = ntohs(v6.sin6_port);
    return 0;
  }
  return EAFNOSUPPORT;
}

void BuildSockaddr(const ipc::Address& address, sockaddr* out, socklen_t* length) {
  if (out == nullptr || length == nullptr) return;
  if (IsV4(address)) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, address.ip + sizeof(kMappedPrefix), sizeof(v4.sin_addr));
    std::memcpy(out, &v4, std::min<size_t>(*length, sizeof(v4)));
    *length = sizeof(v4);
    return;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  std::memcpy(&v6.sin6_addr, address.ip, sizeof(v6.sin6_addr));
  std::memcpy(out, &v6, std::min<size_t>(*length, sizeof(v6)));
  *length = sizeof(v6);
}

}  // namespace netchannel
