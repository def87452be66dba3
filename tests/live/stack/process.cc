// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <utility>

namespace netchannel::test {
namespace {

// In the child: becomes the program.
[[noreturn]] void Exec(const std::string& space, char* const* argv, int out, int err) {
  const int target = open(space.c_str(), O_RDONLY | O_CLOEXEC);
  if (target < 0 || setns(target, CLONE_NEWNET) != 0) _exit(126);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  execvp(argv[0], argv);
  _exit(127);
}

// False at the end of the output.
bool Append(int fd, std::string& to) {
  std::array<char, 4096> buffer;
  const ssize_t got = read(fd, buffer.data(), buffer.size());
  if (got > 0) to.append(buffer.data(), static_cast<size_t>(got));
  return got > 0 || (got < 0 && errno == EAGAIN);
}

}  // namespace

Time MonotonicNow() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return Time::FromNanos(int64_t{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec);
}

Process::Process(const std::string& space, const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) return;
  pid_ = fork();
  if (pid_ == 0) Exec(space, words.data(), out[1], err[1]);
  close(out[1]);
  close(err[1]);
  out_fd_ = UniqueFd(out[0]);
  err_fd_ = UniqueFd(err[0]);
  for (const int fd : {out[0], err[0]}) fcntl(fd, F_SETFL, O_NONBLOCK);
  pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      out_fd_(std::move(other.out_fd_)),
      err_fd_(std::move(other.err_fd_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      status_(other.status_) {}

Process::~Process() {
  if (pid_ < 0 || status_.has_value()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::Signal(int signal) const {
  if (pid_ > 0 && !status_.has_value()) kill(pid_, signal);
}

void Process::Reap() {
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return;
  status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void Process::Pump(Time deadline) {
  if (status_.has_value()) return;
  const Duration left = std::max(deadline - MonotonicNow(), Duration::Zero());
  // A pipe that has ended would wake poll for ever; poll ignores negative descriptors.
  std::array<pollfd, 3> events = {{{out_fd_.valid() ? out_fd_.get() : -1, POLLIN, 0},
                                   {err_fd_.valid() ? err_fd_.get() : -1, POLLIN, 0},
                                   {pidfd_.get(), POLLIN, 0}}};
  poll(events.data(), events.size(), static_cast<int>(left.nanos() / 1'000'000 + 1));
  if (events[0].revents != 0 && !Append(out_fd_.get(), out_)) out_fd_ = UniqueFd();
  if (events[1].revents != 0 && !Append(err_fd_.get(), err_)) err_fd_ = UniqueFd();
  const bool silent = events[0].revents == 0 && events[1].revents == 0;
  if (silent && events[2].revents != 0) Reap();  // after its last words
}

bool Process::WaitFor(const std::string& in, const std::string& text, Duration bound) {
  const Time deadline = MonotonicNow() + bound;
  while (in.find(text) == std::string::npos) {
    if (status_.has_value() || MonotonicNow() >= deadline) return false;
    Pump(deadline);
  }
  return true;
}

bool Process::WaitForOutput(const std::string& text, Duration bound) {
  return WaitFor(out_, text, bound);
}

bool Process::WaitForError(const std::string& text, Duration bound) {
  return WaitFor(err_, text, bound);
}

std::optional<int> Process::WaitForExit(Duration bound) {
  const Time deadline = MonotonicNow() + bound;
  while (!status_.has_value() && MonotonicNow() < deadline) Pump(deadline);
  return status_;
}

bool Process::running() {
  Pump(MonotonicNow());
  return !status_.has_value();
}

}  // namespace netchannel::test
