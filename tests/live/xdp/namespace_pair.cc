// SPDX-License-Identifier: Apache-2.0
#include "namespace_pair.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

#include "absl/strings/str_cat.h"

namespace netchannel::test {
namespace {

std::string UniqueName(const char* end) {
  static std::atomic<int> next{0};
  return absl::StrCat("ncx-", getpid(), "-", next++, end);
}

std::string Script(const char* name) {
  return absl::StrCat("NETCHANNEL_BUILD=", std::getenv("NETCHANNEL_BUILD"), " ",
                      std::getenv("NETCHANNEL_SCRIPTS"), "/", name, " ", NamespacePair::kInterface);
}

}  // namespace

CommandResult RunCommand(const std::string& command) {
  CommandResult result;
  FILE* pipe = popen(absl::StrCat("(", command, ") 2>&1").c_str(), "re");
  if (pipe == nullptr) return result;
  char buffer[4096];
  size_t length = 0;
  while ((length = fread(buffer, 1, sizeof(buffer), pipe)) > 0) {
    result.output.append(buffer, length);
  }
  const int status = pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

NamespacePair::NamespacePair(int mtu, int queues) : names_{UniqueName("a"), UniqueName("b")} {
  const std::string veth = absl::StrCat("numrxqueues ", queues, " numtxqueues ", queues);
  for (const std::string& name : names_) Check(absl::StrCat("ip netns add ", name));
  Check(absl::StrCat("ip link add ", kInterface, " netns ", names_[kA], " ", veth,
                     " type veth peer name ", kInterface, " netns ", names_[kB], " ", veth));
  for (const int end : {kA, kB}) {
    const std::string ip = absl::StrCat("ip -n ", name(end), " ");
    Check(absl::StrCat(ip, "link set lo up"));
    Check(absl::StrCat(ip, "link set ", kInterface, " mtu ", mtu, " up"));
    Check(absl::StrCat(ip, "address add ", Address(end), "/24 dev ", kInterface));
    Check(absl::StrCat(ip, "address add ", Address6(end), "/64 dev ", kInterface, " nodad"));
  }
}

NamespacePair::~NamespacePair() {
  for (const int end : {kA, kB}) Teardown(end);
  for (const std::string& name : names_) RunCommand(absl::StrCat("ip netns delete ", name));
}

void NamespacePair::Check(const std::string& command) {
  if (!error_.empty()) return;
  const CommandResult result = RunCommand(command);
  if (result.status != 0) error_ = absl::StrCat(command, ": ", result.output);
}

CommandResult NamespacePair::RunIn(int end, const std::string& command) const {
  return RunCommand(absl::StrCat("nsenter --net=/run/netns/", name(end), " ", command));
}

CommandResult NamespacePair::Setup(int end, const std::string& arguments) const {
  return RunIn(end, absl::StrCat("env ", Script("setup.sh"), " ", arguments));
}

CommandResult NamespacePair::Teardown(int end) const {
  return RunIn(end, absl::StrCat("env ", Script("teardown.sh")));
}

InNamespace::InNamespace(const NamespacePair& pair, int end)
    : before_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  const UniqueFd target(
      open(absl::StrCat("/run/netns/", pair.name(end)).c_str(), O_RDONLY | O_CLOEXEC));
  if (setns(target.get(), CLONE_NEWNET) != 0) std::perror("setns");
}

InNamespace::~InNamespace() {
  if (setns(before_.get(), CLONE_NEWNET) != 0) std::perror("setns");
}

}  // namespace netchannel::test
