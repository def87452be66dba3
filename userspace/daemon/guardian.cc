// SPDX-License-Identifier: Apache-2.0
//
// The daemon's side. What the guardian does is in guardian_process.cc.
#include "daemon/guardian.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/guardian_message.h"
#include "ipc/fd_message.h"

namespace netchannel {
namespace {

// A guardian that can run has taken a message within microseconds.
constexpr int kGuardianPatienceMs = 10;

// Its output is not the daemon's, whose reader waits for the end; and nothing else is inherited.
int SpawnWith(int socket, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, socket, kGuardianSocket);
  posix_spawn_file_actions_addclosefrom_np(&actions, kGuardianSocket + 1);
  std::string name = "netchanneld", argument(kGuardianArgument);
  char* const words[] = {name.data(), argument.data(), nullptr};
  const int error = posix_spawn(pid, "/proc/self/exe", &actions, nullptr, words, environ);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

absl::StatusOr<Guardian::Started> Guardian::Spawn() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("guardian: socketpair: ", strerror(errno), "; raise the limit of open files"));
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  pid_t pid = -1;
  if (const int error = SpawnWith(theirs.get(), &pid); error != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("guardian: start /proc/self/exe: ", strerror(error),
                     "; the daemon needs /proc and one process"));
  }
  return Started{std::move(ours), pid};
}

absl::StatusOr<std::unique_ptr<Guardian>> Guardian::Start() {
  auto started = Spawn();
  if (!started.ok()) return started.status();
  return std::unique_ptr<Guardian>(new Guardian(std::move(started->socket), started->pid));
}

Guardian::~Guardian() {
  if (pid_ < 0) return;
  Send(GuardianMessage{GuardianOrder::kFarewell, 0, 0});
  // One that cannot hear it must not mark anything either.
  if (lost_) {
    kill(pid_, SIGKILL);
  } else {
    waitpid(pid_, nullptr, 0);
  }
}

template <typename Message>
void Guardian::Send(const Message& message, int fd) {
  if (pid_ < 0 || lost_) return;
  const int fds[] = {fd};
  const auto descriptors = absl::MakeConstSpan(fds, fd >= 0 ? 1 : 0);
  const auto send = [&] {
    return ipc::SendMessage(socket_.get(), &message, sizeof(message), descriptors, MSG_DONTWAIT);
  };
  if (send()) return;
  pollfd room{socket_.get(), POLLOUT, 0};
  lost_ = errno != EAGAIN || poll(&room, 1, kGuardianPatienceMs) != 1 || !send();
}

void Guardian::AddRegion(uint32_t region, int memory_file) {
  Send(GuardianMessage{GuardianOrder::kAddRegion, region, 0}, memory_file);
}

void Guardian::SetEventFd(uint32_t region, uint32_t set, int fd) {
  Send(GuardianMessage{GuardianOrder::kSetEventFd, region, set}, fd);
}

void Guardian::RemoveRegion(uint32_t region) {
  Send(GuardianMessage{GuardianOrder::kRemoveRegion, region, 0});
}

bool Guardian::Tend() {
  std::erase_if(killed_, [](pid_t pid) { return waitpid(pid, nullptr, WNOHANG) != 0; });
  if (pid_ >= 0) {
    const bool runs = waitpid(pid_, nullptr, WNOHANG) == 0;
    if (runs && !lost_) return false;
    if (runs) {
      // It runs no more of its code, and will not take the end of its socket for our death. But it
      // may be giving gigabytes back, which nothing ends: nobody waits for that.
      kill(pid_, SIGKILL);
      killed_.push_back(pid_);
    }
    pid_ = -1;
    std::fprintf(stderr, "netchanneld: the guardian %s; starting another\n",
                 runs ? "did not keep up" : "has died");
  }
  auto started = Spawn();
  if (!started.ok()) return false;  // next time
  socket_ = std::move(started->socket);
  pid_ = started->pid;
  lost_ = false;
  ++restarts_;
  return true;
}

}  // namespace netchannel
