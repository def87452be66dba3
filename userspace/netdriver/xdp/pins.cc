// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/pins.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include "absl/strings/str_cat.h"
#include "netdriver/xdp/failure.h"

namespace netchannel::xdp {
namespace {

std::optional<uint64_t> Inode(const char* path) {
  struct stat status;
  if (stat(path, &status) != 0) return std::nullopt;
  return status.st_ino;
}

}  // namespace

std::string BpffsRoot() {
  const char* root = std::getenv("NETCHANNEL_BPFFS");
  return root != nullptr && *root != '\0' ? root : "/sys/fs/bpf";
}

absl::StatusOr<uint64_t> NetnsInode() {
  const auto inode = Inode("/proc/thread-self/ns/net");
  if (!inode) return Failure(errno, "stat /proc/thread-self/ns/net", "mount /proc");
  return *inode;
}

absl::StatusOr<std::string> PinDirectory(absl::string_view ifname) {
  const auto own = NetnsInode();
  if (!own.ok()) return own.status();
  const std::string plain = absl::StrCat(BpffsRoot(), "/netchannel/", ifname);
  const std::string qualified = absl::StrCat(plain, "@", *own);
  const auto init = Inode("/proc/1/ns/net");
  if (init) return *init == *own ? plain : qualified;
  // Without the privilege to look at process 1, take what is there. SteeringMaps::Open checks that
  // the pins are this namespace's.
  return access(qualified.c_str(), F_OK) == 0 ? qualified : plain;
}

}  // namespace netchannel::xdp
