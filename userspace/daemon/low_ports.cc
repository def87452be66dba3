// SPDX-License-Identifier: Apache-2.0
#include "daemon/low_ports.h"

#include <linux/capability.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "ipc/futex.h"

namespace netchannel {
namespace {

constexpr uint32_t kDefaultStart = 1024;

// As the kernel has it for the daemon's network namespace.
uint32_t UnprivilegedStart() {
  std::ifstream file("/proc/sys/net/ipv4/ip_unprivileged_port_start");
  uint32_t start = kDefaultStart;
  return file >> start ? start : kDefaultStart;
}

std::string ProcPath(pid_t process, const char* name) {
  return absl::StrCat("/proc/", process, "/", name);
}

bool HasCapability(pid_t process, int capability) {
  std::ifstream file(ProcPath(process, "status"));
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("CapEff:", 0) != 0) continue;
    const uint64_t effective = std::strtoull(line.c_str() + 7, nullptr, 16);
    return (effective >> capability & 1) != 0;
  }
  return false;
}

// Empty: it cannot be read, or has no entry.
std::string ReadMap(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Whether the process shows its namespace to us and it is another. It shows it only to who may
// trace it (ptrace(2)), which a daemon that is not root may nobody but its own user's.
bool ShowsAnotherUserNamespace(pid_t process) {
  struct stat ours, theirs;
  if (stat("/proc/self/ns/user", &ours) != 0) return true;
  if (stat(ProcPath(process, "ns/user").c_str(), &theirs) != 0) return errno != EACCES;
  return ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino;
}

// Whether what everybody can read of a user namespace, its maps, is the same as for our own. To
// give a namespace the maps of the one it was made in takes the right to become any user there.
bool HasMapsOfOurUserNamespace(pid_t process) {
  for (const char* map : {"uid_map", "gid_map", "projid_map"}) {
    const std::string ours = ReadMap(absl::StrCat("/proc/self/", map));
    if (ours != ReadMap(ProcPath(process, map))) return false;
    // So has a new namespace, until it is given some.
    if (ours.empty() && map[0] != 'p') return false;
  }
  return true;
}

}  // namespace

bool HasBindCapability(pid_t process) {
  return HasCapability(process, CAP_NET_BIND_SERVICE) && !ShowsAnotherUserNamespace(process) &&
         HasMapsOfOurUserNamespace(process);
}

bool LowPorts::MayBind(const ApplicationInfo& application, uint16_t port) {
  if (const Time now = ipc::MonotonicNow(); now >= read_again_) {
    unprivileged_start_ = UnprivilegedStart();
    read_again_ = now + kFresh;
  }
  return port >= unprivileged_start_ ||
         (application.had_bind_capability && HasBindCapability(application.pid));
}

}  // namespace netchannel
