// SPDX-License-Identifier: Apache-2.0
#include "daemon/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace netchannel {
namespace {

constexpr int kKept[] = {CAP_NET_RAW, CAP_IPC_LOCK};

absl::Status CannotServeAs(absl::string_view operation, const std::string& user) {
  return absl::PermissionDeniedError(absl::StrCat("daemon.user: ", operation, " ", user, ": ",
                                                  std::strerror(errno),
                                                  "; start the daemon as root, or leave it unset"));
}

bool SetCapabilities(absl::Span<const int> kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  for (const int capability : kept) {
    data[capability / 32].permitted |= 1u << capability % 32;
    data[capability / 32].effective |= 1u << capability % 32;
  }
  return syscall(SYS_capset, &header, data) == 0;
}

// No program gains what this process has given up.
void EmptyBoundingSet() {
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

}  // namespace

absl::Status BecomeUser(const std::string& user) {
  errno = ENOENT;
  const passwd* const entry = getpwnam(user.c_str());
  if (entry == nullptr) return CannotServeAs("there is no user", user);
  EmptyBoundingSet();
  if (initgroups(user.c_str(), entry->pw_gid) != 0)
    return CannotServeAs("take the groups of", user);
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 ||
      setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
      setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0) {
    return CannotServeAs("become", user);
  }
  if (!SetCapabilities(kKept)) return CannotServeAs("keep CAP_NET_RAW and CAP_IPC_LOCK as", user);
  return absl::OkStatus();
}

void DropCapabilities() { SetCapabilities({}); }

void RaiseFileLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace netchannel
