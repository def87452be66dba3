// SPDX-License-Identifier: Apache-2.0
#include "ipc/anchor_name.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <string_view>

namespace netchannel::ipc {
namespace {

constexpr std::string_view kPrefix = "netchannel/";

// Takes a number and the `end` behind it off `text`. False: there is none.
template <typename T>
bool TakeNumber(std::string_view* text, int base, char end, T* number) {
  const char* const last = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), last, *number, base);
  if (error != std::errc()) return false;
  if (end == '\0') return at == last;
  if (at == last || *at != end) return false;
  text->remove_prefix(static_cast<size_t>(at + 1 - text->data()));
  return true;
}

}  // namespace

uint64_t SocketCookie(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof(cookie);
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

bool BindAnchorName(int daemon_end, const AnchorName& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int length =
      std::snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "netchannel/%016llx/%u/%u",
                    static_cast<unsigned long long>(name.region_id), name.slot, name.generation);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  return bind(daemon_end, reinterpret_cast<const sockaddr*>(&address), size) == 0;
}

std::optional<AnchorName> ReadAnchorName(int fd) {
  sockaddr_un address{};
  socklen_t length = sizeof(address);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return std::nullopt;
  constexpr size_t kPathAt = offsetof(sockaddr_un, sun_path);
  if (address.sun_family != AF_UNIX || length <= kPathAt + 1) return std::nullopt;
  if (address.sun_path[0] != '\0') return std::nullopt;
  std::string_view text(address.sun_path + 1,
                        std::min<size_t>(length, sizeof(address)) - kPathAt - 1);
  if (text.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  AnchorName name;
  if (!TakeNumber(&text, 16, '/', &name.region_id) || !TakeNumber(&text, 10, '/', &name.slot) ||
      !TakeNumber(&text, 10, '\0', &name.generation)) {
    return std::nullopt;
  }
  return name;
}

}  // namespace netchannel::ipc
