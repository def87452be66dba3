// SPDX-License-Identifier: Apache-2.0
#include "wire/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace netchannel::wire {

absl::StatusOr<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::string terminated(text);
  in_addr v4;
  if (inet_pton(AF_INET, terminated.c_str(), &v4) == 1) return V4(ntohl(v4.s_addr));
  IpAddress address;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  return absl::InvalidArgumentError(
      absl::StrCat("\"", terminated,
                   "\" is not an IP address: write it like 10.0.0.1 or fd00::1, without a prefix "
                   "length or port"));
}

bool IpAddress::is_unspecified() const { return *this == IpAddress{} || *this == V4(INADDR_ANY); }

bool IpAddress::is_loopback() const {
  if (is_v4()) return v4() >> 24 == IN_LOOPBACKNET;
  IpAddress v6_loopback;
  v6_loopback.bytes.back() = 1;
  return *this == v6_loopback;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  const bool v4 = is_v4();
  inet_ntop(v4 ? AF_INET : AF_INET6, bytes.data() + (v4 ? kV4Offset : 0), text, sizeof(text));
  return text;
}

std::string IpEndpoint::ToString() const {
  return address.is_v4() ? absl::StrCat(address.ToString(), ":", port)
                         : absl::StrCat("[", address.ToString(), "]:", port);
}

}  // namespace netchannel::wire
