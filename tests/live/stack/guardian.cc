// SPDX-License-Identifier: Apache-2.0
#include "guardian.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace netchannel::test {
namespace {

// $1: the prefix of the namespaces (test::NamespacePair), $2: the directory.
constexpr const char* kScript = R"(
trap '' INT TERM HUP
read -r end
for path in /run/netns/"$1"*; do
  [ -e "$path" ] || continue
  nsenter --net="$path" "$NETCHANNEL_SCRIPTS/teardown.sh" ncx0
  ip netns delete "${path##*/}"
done
[ -z "$2" ] || rm -rf "$2"
)";

}  // namespace

void StartGuardian(const std::string& directory) {
  int life[2];  // ends with this process, however it ends
  if (pipe2(life, O_CLOEXEC) != 0) return;
  const std::string prefix = "ncx-" + std::to_string(getpid()) + "-";
  if (fork() == 0) {
    setsid();  // the terminal's Ctrl-C is not for it
    dup2(life[0], STDIN_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execl("/bin/sh", "sh", "-c", kScript, "guardian", prefix.c_str(), directory.c_str(), nullptr);
    _exit(127);
  }
  close(life[0]);
}

}  // namespace netchannel::test
