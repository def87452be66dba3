// SPDX-License-Identifier: Apache-2.0
#include "live/relay/private_mounts.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace netchannel::relay {
namespace {

constexpr const char* kRunDirectory = "/run/netchannel";
// A mount point that exists everywhere and that no one here needs otherwise.
constexpr const char* kBpffs = "/mnt";

bool MakeDirectory(const char* path) { return mkdir(path, 0755) == 0 || errno == EEXIST; }

}  // namespace

std::string MakeMountsPrivate() {
  const bool mounted = unshare(CLONE_NEWNS) == 0 &&
                       mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       mount("bpf", kBpffs, "bpf", 0, nullptr) == 0 &&
                       MakeDirectory(kRunDirectory) &&
                       mount("tmpfs", kRunDirectory, "tmpfs", 0, nullptr) == 0;
  if (!mounted || setenv("NETCHANNEL_BPFFS", kBpffs, 1) != 0) return "";
  return kBpffs;
}

}  // namespace netchannel::relay
