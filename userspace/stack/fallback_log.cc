// SPDX-License-Identifier: Apache-2.0
#include "stack/fallback_log.h"

#include <sys/prctl.h>
#include <unistd.h>

namespace netchannel {

ApplicationInfo ApplicationInfo::Self() {
  char name[16] = {};  // PR_GET_NAME writes at most 16 bytes
  prctl(PR_GET_NAME, name);
  return {getpid(), name, getuid()};
}

void FallbackLog::Add(Time now, const ApplicationInfo& application, const wire::IpEndpoint& peer,
                      ipc::FallbackReason reason) {
  counts_[static_cast<size_t>(reason)] += 1;
  if (entries_.size() == kEntries) entries_.pop_front();
  entries_.push_back({now, application, peer, reason});
}

}  // namespace netchannel
