// SPDX-License-Identifier: Apache-2.0
//
// io_uring does input and output past libc: what it is given must be the kernel's socket. A process
// that has liburing, or a ring, stays on the kernel; rings are looked for when a listener is made,
// since connections of NetChannel peers would wait for an accept() that never comes.
#include <dirent.h>
#include <link.h>
#include <unistd.h>

#include <cstring>

#include "preload/companion.h"
#include "preload/settings.h"

namespace netchannel::preload {
namespace {

int IsLiburing(dl_phdr_info* info, size_t, void*) {
  return info->dlpi_name != nullptr && std::strstr(info->dlpi_name, "/liburing.so") != nullptr;
}

bool HasRing() {
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return false;
  bool found = false;
  while (const dirent* entry = readdir(folder)) {
    char target[64];
    const ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
    if (length <= 0) continue;
    target[length] = '\0';
    found = found || std::strcmp(target, "anon_inode:[io_uring]") == 0;
  }
  closedir(folder);
  return found;
}

}  // namespace

bool UsesIoUring() {
  if (StaysOnKernel()) return true;
  if (dl_iterate_phdr(&IsLiburing, nullptr) == 0 && !HasRing()) return false;
  StayOnKernel();
  return true;
}

}  // namespace netchannel::preload
