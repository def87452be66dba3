// SPDX-License-Identifier: Apache-2.0
#include "daemon/guardian.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "ipc/fd_message.h"
#include "ipc/mark_gone.h"
#include "ipc/region.h"

namespace netchannel {
namespace {

enum class Order : uint32_t { kAddRegion, kSetEventFd, kRemoveRegion, kFarewell };

struct Message {
  Order order;
  uint32_t region;
  uint32_t set;
};

struct Watched {
  UniqueFd memory_file;
  std::map<uint32_t, UniqueFd> event_fds;  // by set
};
using WatchedRegions = std::map<uint32_t, Watched>;

// What is the daemon's alone must not live on here: its output, for one, whose reader waits for the
// end.
void LetGoOfTheTerminal() {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int fd = 0; fd <= 2 && null.valid(); ++fd) dup2(null.get(), fd);
}

// True: go on; false: the daemon has said farewell.
bool Obey(const Message& message, ipc::ReceivedMessage& received, WatchedRegions& regions) {
  switch (message.order) {
    case Order::kAddRegion:
      regions[message.region].memory_file = std::move(received.fds[0]);
      return true;
    case Order::kSetEventFd:
      if (const auto found = regions.find(message.region); found != regions.end()) {
        found->second.event_fds[message.set] = std::move(received.fds[0]);
      }
      return true;
    case Order::kRemoveRegion:
      regions.erase(message.region);
      return true;
    case Order::kFarewell:
      return false;
  }
  return true;
}

// Marks all before it wakes: a descriptor of a hostile application could block.
void Tell(WatchedRegions& regions) {
  for (auto& [id, watched] : regions) {
    if (!watched.memory_file.valid()) continue;
    const auto region = ipc::Region::Map(watched.memory_file.Release());
    if (region.ok()) ipc::MarkGone(region->view(), ECONNRESET);
  }
  for (auto& [id, watched] : regions) {
    for (auto& [set, fd] : watched.event_fds) {
      fcntl(fd.get(), F_SETFL, O_NONBLOCK);
      eventfd_write(fd.get(), 1);
    }
  }
}

[[noreturn]] void Watch(int socket) {
  prctl(PR_SET_NAME, "nc-guardian");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  LetGoOfTheTerminal();
  WatchedRegions regions;
  while (true) {
    Message message;
    ipc::ReceivedMessage received = ipc::ReceiveMessage(socket, &message, sizeof(message));
    if (received.size == sizeof(message)) {
      if (!Obey(message, received, regions)) _exit(0);
      continue;
    }
    if (received.size <= 0) break;
  }
  Tell(regions);
  _exit(0);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Guardian>> Guardian::Fork() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("guardian: socketpair: ", strerror(errno)));
  }
  UniqueFd ours(ends[0]), theirs(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("guardian: fork: ", strerror(errno)));
  }
  if (pid == 0) {
    close(ours.Release());
    Watch(theirs.get());
  }
  return std::unique_ptr<Guardian>(new Guardian(std::move(ours), pid));
}

Guardian::~Guardian() {
  const Message message{Order::kFarewell, 0, 0};
  ipc::SendMessage(socket_.get(), &message, sizeof(message), {});
  waitpid(pid_, nullptr, 0);
}

void Guardian::AddRegion(uint32_t region, int memory_file) {
  const Message message{Order::kAddRegion, region, 0};
  ipc::SendMessage(socket_.get(), &message, sizeof(message), {memory_file});
}

void Guardian::SetEventFd(uint32_t region, uint32_t set, int fd) {
  const Message message{Order::kSetEventFd, region, set};
  ipc::SendMessage(socket_.get(), &message, sizeof(message), {fd});
}

void Guardian::RemoveRegion(uint32_t region) {
  const Message message{Order::kRemoveRegion, region, 0};
  ipc::SendMessage(socket_.get(), &message, sizeof(message), {});
}

}  // namespace netchannel
