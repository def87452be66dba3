// SPDX-License-Identifier: Apache-2.0
#include "cli/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "absl/strings/str_cat.h"

namespace netchannel::cli {

absl::StatusOr<SocketAddress> MakeSocketAddress(const std::string& text, uint16_t port) {
  SocketAddress out;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    std::memcpy(&out.storage, &v4, sizeof(v4));
    out.length = sizeof(v4);
    return out;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (!text.empty() && inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("address '", text, "': give an IPv4 or IPv6 address in digits"));
  }
  std::memcpy(&out.storage, &v6, sizeof(v6));
  out.length = sizeof(v6);
  return out;
}

}  // namespace netchannel::cli
