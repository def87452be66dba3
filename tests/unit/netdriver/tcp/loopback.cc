// SPDX-License-Identifier: Apache-2.0
#include "loopback.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace netchannel::test {

std::string EnterLoopbackNetwork() {
  // With privileges no user namespace is needed, which some sandboxes refuse.
  if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    return std::string("needs a network namespace (root, or user namespaces): ") +
           std::strerror(errno);
  }
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) {
    return std::string("bring the loopback interface up: ") + std::strerror(errno);
  }
  return "";
}

}  // namespace netchannel::test
