// SPDX-License-Identifier: Apache-2.0
#include "daemon/low_ports.h"

#include <linux/capability.h>

#include <cstdint>
#include <fstream>
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

}  // namespace

bool HasBindCapability(pid_t process) {
  std::ifstream file(absl::StrCat("/proc/", process, "/status"));
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("CapEff:", 0) != 0) continue;
    const uint64_t effective = std::strtoull(line.c_str() + 7, nullptr, 16);
    return (effective >> CAP_NET_BIND_SERVICE & 1) != 0;
  }
  return false;
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
