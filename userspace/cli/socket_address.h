// SPDX-License-Identifier: Apache-2.0
//
// A numeric IP address and a port as the sockaddr that both stacks take.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace netchannel::cli {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// `text` is an IPv4 or IPv6 address in digits; empty is the IPv6 wildcard, which takes both
// families.
absl::StatusOr<SocketAddress> MakeSocketAddress(const std::string& text, uint16_t port);

}  // namespace netchannel::cli
