// SPDX-License-Identifier: Apache-2.0
//
// nc_socket_fd too.
#include "client/anchor.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "client/process.h"

namespace netchannel {
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

bool BindName(int fd, const AnchorName& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int length =
      std::snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "netchannel/%016llx/%u/%u",
                    static_cast<unsigned long long>(name.region_id), name.slot, name.generation);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  return bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0;
}

}  // namespace

std::optional<AnchorName> ReadAnchor(int fd) {
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

int MakeAnchor(nc_socket* socket) {
  uint32_t none = 0;
  if (!socket->client->anchored.compare_exchange_strong(none, 1, std::memory_order_acq_rel)) {
    return EBUSY;
  }
  const AnchorName name = {socket->home->region_id, socket->index,
                           socket->client->generation.load(std::memory_order_relaxed)};
  int ends[2];
  int error = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    error = errno;
  } else if (!BindName(ends[1], name)) {
    error = errno;
    close(ends[0]);
    close(ends[1]);
  } else if (!socket->home->link->SendAnchor(socket->index, ends[1])) {
    error = ENETDOWN;
    close(ends[0]);
  }
  if (error != 0) {
    socket->client->anchored.store(0, std::memory_order_release);
    return error;
  }
  socket->anchor = ends[0];
  socket->owns_anchor = true;
  return 0;
}

}  // namespace netchannel

using netchannel::Fail;

extern "C" {

int nc_socket_fd(nc_socket* socket) {
  if (!socket->home->shareable()) {
    return Fail(ENOTSUP, "a socket of an embedded stack has no descriptor: use the daemon");
  }
  const std::lock_guard lock(netchannel::Process::Get().mutex());
  if (socket->anchor < 0) {
    if (const int error = netchannel::MakeAnchor(socket); error != 0) return Fail(error);
  }
  socket->owns_anchor = false;
  return socket->anchor;
}

}  // extern "C"
