// SPDX-License-Identifier: Apache-2.0
#include "live/relay/testbed.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace netchannel::relay {
namespace {

constexpr const char* kOffloadsOff = " tx off rx off tso off gso off gro off >/dev/null";

absl::Status Shell(const std::string& command) {
  if (std::system(command.c_str()) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("failed: ", command));
}

// A new namespace, as a descriptor; -1 when the kernel refuses.
int MakeNamespace() {
  int fd = -1;
  std::thread([&] {
    if (unshare(CLONE_NEWNET) == 0) fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  }).join();
  return fd;
}

// In the child: becomes the relay.
[[noreturn]] void Exec(int space, int output, std::vector<std::string> arguments) {
  if (setns(space, CLONE_NEWNET) != 0) _exit(126);
  dup2(output, STDOUT_FILENO);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

// One line, without its end; empty at the end of the file.
std::string ReadLine(int fd) {
  std::string line;
  char c = 0;
  while (read(fd, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

}  // namespace

Testbed::Testbed(std::string relay) : relay_program_(std::move(relay)) {}

Testbed::~Testbed() {
  StopRelay();
  for (const auto& [host, fd] : namespaces_) close(fd);
}

std::string Testbed::NamespaceOf(char host) const {
  return absl::StrCat("/proc/", getpid(), "/fd/", namespaces_.at(host));
}

absl::StatusOr<std::unique_ptr<Testbed>> Testbed::Create(std::string relay, int mtu) {
  std::unique_ptr<Testbed> bed(new Testbed(std::move(relay)));
  const absl::Status built = bed->Build(mtu);
  if (!built.ok()) return built;
  return bed;
}

absl::Status Testbed::Build(int mtu) {
  for (const char host : {'a', 'b', 'r'}) {
    const int fd = MakeNamespace();
    if (fd < 0)
      return absl::PermissionDeniedError("no network namespace: CAP_SYS_ADMIN is missing");
    namespaces_[host] = fd;
  }
  const absl::Status a = BuildHost('a', kAddressA, kAddress6A, mtu);
  return a.ok() ? BuildHost('b', kAddressB, kAddress6B, mtu) : a;
}

absl::Status Testbed::BuildHost(char host, const char* address, const char* address6, int mtu) {
  const std::string veth = InterfaceOf(host), far = std::string("r").append(1, host);
  const std::string queues = "numrxqueues 2 numtxqueues 2";
  const absl::Status made =
      ShellIn('r', absl::StrCat("ip link add ", far, " mtu ", mtu, " ", queues,
                                " type veth peer name ", veth, " mtu ", mtu, " address ",
                                MacOf(host), " ", queues, " netns ", NamespaceOf(host),
                                " && ip link set ", far, " up && ethtool -K ", far, kOffloadsOff));
  if (!made.ok()) return made;
  return ShellIn(
      host, absl::StrCat("ethtool -K ", veth, kOffloadsOff, " && ip addr add ", address, "/24 dev ",
                         veth, " && ip addr add ", address6, "/64 dev ", veth,
                         " nodad && ip link set lo up && ip link set ", veth, " up"));
}

absl::Status Testbed::ShellIn(char host, const std::string& command) const {
  absl::Status status;
  InHost(host, [&] { status = Shell(command); });
  return status;
}

absl::Status Testbed::StartRelay(const std::vector<std::string>& options) {
  StopRelay();
  int pipe[2];
  if (pipe2(pipe, O_CLOEXEC) != 0) return absl::InternalError("pipe");
  std::vector<std::string> arguments = {relay_program_, "ra", "rb"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  relay_ = fork();
  if (relay_ == 0) Exec(namespaces_.at('r'), pipe[1], std::move(arguments));
  close(pipe[1]);
  relay_output_ = pipe[0];
  const std::string line = ReadLine(relay_output_);
  if (line.rfind("ready", 0) == 0) return absl::OkStatus();
  StopRelay();
  return absl::InternalError(absl::StrCat("the relay ", relay_program_, " does not start"));
}

std::string Testbed::StopRelay() {
  if (relay_ <= 0) return "";
  kill(relay_, SIGTERM);
  std::string counts = ReadLine(relay_output_);
  absl::StrAppend(&counts, "\n", ReadLine(relay_output_));
  waitpid(std::exchange(relay_, -1), nullptr, 0);
  close(std::exchange(relay_output_, -1));
  return counts;
}

void Testbed::InHost(char host, const std::function<void()>& what) const {
  const int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (here < 0 || setns(namespaces_.at(host), CLONE_NEWNET) != 0) std::abort();
  what();
  if (setns(here, CLONE_NEWNET) != 0) std::abort();
  close(here);
}

uint64_t CountOf(const std::string& counts, int direction, const std::string& key) {
  size_t at = direction == 0 ? 0 : counts.find('\n');
  at = counts.find(absl::StrCat("\"", key, "\": "), at);
  return at == std::string::npos ? 0
                                 : std::strtoull(counts.c_str() + at + key.size() + 4, nullptr, 10);
}

}  // namespace netchannel::relay
