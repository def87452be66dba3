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

// PROC_NET_INIT_INO, the inode of the first network namespace since Linux 6.18; before it varied.
constexpr uint64_t kInitNetnsInode = 0xEFFFFFF9;

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
  if (*own == kInitNetnsInode) return plain;
  if (const auto init = Inode("/proc/1/ns/net")) return *init == *own ? plain : qualified;
  // An older kernel, and process 1 is hidden from us. Root may be the loader and must not meet
  // another namespace's pins; others take what root has put there, and SteeringMaps::Open checks
  // whose it is.
  if (geteuid() == 0 || access(qualified.c_str(), F_OK) == 0) return qualified;
  return plain;
}

}  // namespace netchannel::xdp
