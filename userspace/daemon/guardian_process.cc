// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "base/unique_fd.h"
#include "daemon/guardian.h"
#include "daemon/guardian_message.h"
#include "daemon/privileges.h"
#include "ipc/event_fd.h"
#include "ipc/fd_message.h"
#include "ipc/mark_gone.h"
#include "ipc/region.h"

namespace netchannel {
namespace {

struct Watched {
  UniqueFd memory_file;
  std::map<uint32_t, UniqueFd> event_fds;  // by set
};
using WatchedRegions = std::map<uint32_t, Watched>;

// True: go on; false: the daemon has said farewell.
bool Obey(const GuardianMessage& message, ipc::ReceivedMessage& received, WatchedRegions& regions) {
  switch (message.order) {
    case GuardianOrder::kAddRegion:
      regions[message.region].memory_file = std::move(received.fds[0]);
      return true;
    case GuardianOrder::kSetEventFd:
      if (const auto found = regions.find(message.region); found != regions.end()) {
        found->second.event_fds[message.set] = std::move(received.fds[0]);
      }
      return true;
    case GuardianOrder::kRemoveRegion:
      regions.erase(message.region);
      return true;
    case GuardianOrder::kFarewell:
      return false;
  }
  return true;
}

void Tell(WatchedRegions& regions) {
  for (auto& [id, watched] : regions) {
    if (!watched.memory_file.valid()) continue;
    const auto region = ipc::Region::Map(watched.memory_file.Release());
    if (region.ok()) ipc::MarkGone(region->view(), ECONNRESET);
  }
  for (auto& [id, watched] : regions) {
    for (auto& [set, fd] : watched.event_fds) ipc::SignalEventFd(fd.get());
  }
}

}  // namespace

void RunGuardian() {
  prctl(PR_SET_NAME, "nc-guardian");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  DropCapabilities();
  WatchedRegions regions;
  while (true) {
    GuardianMessage message;
    ipc::ReceivedMessage received = ipc::ReceiveMessage(kGuardianSocket, &message, sizeof(message));
    if (received.size == sizeof(message)) {
      if (!Obey(message, received, regions)) _exit(0);
      continue;
    }
    if (received.size <= 0) break;
  }
  Tell(regions);
  _exit(0);
}

}  // namespace netchannel
