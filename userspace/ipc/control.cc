// SPDX-License-Identifier: Apache-2.0
#include "ipc/control.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ipc/abi.h"

namespace netchannel::ipc {
namespace {

constexpr std::string_view kSuffix = ".sock";

// INTERFACE.sock; not PID.sock or PID.N.sock, which are status sockets.
bool IsControlSocketName(std::string_view name) {
  if (name.size() <= kSuffix.size() || name.substr(name.size() - kSuffix.size()) != kSuffix) {
    return false;
  }
  name.remove_suffix(kSuffix.size());
  return !std::all_of(name.begin(), name.end(),
                      [](unsigned char c) { return std::isdigit(c) != 0 || c == '.'; });
}

std::vector<std::string> ControlSockets(const std::string& directory) {
  std::vector<std::string> paths;
  DIR* const entries = opendir(directory.c_str());
  if (entries == nullptr) return paths;
  while (const dirent* entry = readdir(entries)) {
    if (!IsControlSocketName(entry->d_name)) continue;
    std::string path = directory + "/" + entry->d_name;
    struct stat info;
    if (stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) paths.push_back(std::move(path));
  }
  closedir(entries);
  return paths;
}

}  // namespace

ControlHead MakeControlHead(ControlType type) { return {type, kControlMagic, kAbiVersion}; }

absl::StatusOr<std::string> DaemonSocketPath(std::string_view given) {
  if (!given.empty()) return std::string(given);
  // A set-user-ID program does not let its caller choose its network.
  const char* const chosen = secure_getenv("NETCHANNEL_DAEMON");
  if (chosen != nullptr && *chosen != '\0') return std::string(chosen);
  const std::string directory(kRunDirectory);
  std::vector<std::string> paths = ControlSockets(directory);
  if (paths.size() == 1) return std::move(paths.front());
  if (paths.empty()) {
    return absl::NotFoundError(absl::StrCat("no netchanneld has a control socket in ", directory,
                                            ": start one, or name its in NETCHANNEL_DAEMON"));
  }
  std::sort(paths.begin(), paths.end());
  return absl::FailedPreconditionError(absl::StrCat("several daemons (", absl::StrJoin(paths, ", "),
                                                    "): name one in NETCHANNEL_DAEMON"));
}

}  // namespace netchannel::ipc
