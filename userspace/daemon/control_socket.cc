// SPDX-License-Identifier: Apache-2.0
#include "daemon/control_socket.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace netchannel {
namespace {

constexpr int kBacklog = 128;

absl::Status Cannot(absl::string_view operation, const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat("control socket: ", operation, " ", path, ": ", std::strerror(errno),
                   "; set daemon.socket to a path that can be written"));
}

bool SomebodyListens(const sockaddr_un& address) {
  const UniqueFd probe(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

absl::Status GiveToGroup(const std::string& path, const std::string& group) {
  if (chmod(path.c_str(), 0660) != 0) return Cannot("chmod", path);
  if (group.empty()) return absl::OkStatus();
  const struct group* const found = getgrnam(group.c_str());
  if (found == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("daemon.group: there is no group \"", group,
                                                   "\"; make it with `groupadd ", group, "`"));
  }
  if (chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0) return Cannot("chown", path);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> ListenAt(const std::string& path, const std::string& group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("daemon.socket: ", path, ": too long"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (SomebodyListens(address)) {
    return absl::AlreadyExistsError(
        absl::StrCat("control socket: ", path, ": another daemon listens there"));
  }
  UniqueFd listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid()) return Cannot("socket", path);
  const std::string folder = path.substr(0, path.find_last_of('/'));
  if (!folder.empty() && mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
    return Cannot("mkdir", folder);
  }
  unlink(path.c_str());  // of a daemon that was killed
  // Nobody may connect before the group is set.
  const mode_t mask = umask(0177);
  const int bound =
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  umask(mask);
  if (bound != 0) return Cannot("bind", path);
  if (absl::Status status = GiveToGroup(path, group); !status.ok()) return status;
  if (listen(listener.get(), kBacklog) != 0) return Cannot("listen", path);
  return listener;
}

ApplicationInfo PeerOf(int connection) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return {};
  ApplicationInfo info;
  info.pid = peer.pid;
  info.uid = peer.uid;
  return info;
}

std::string CommandOf(pid_t process) {
  std::ifstream file(absl::StrCat("/proc/", process, "/comm"));
  std::string command;
  std::getline(file, command);
  return command;
}

}  // namespace netchannel
