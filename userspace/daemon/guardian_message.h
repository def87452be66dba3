// SPDX-License-Identifier: Apache-2.0
//
// What the daemon tells its guardian: one SOCK_SEQPACKET packet a message, the descriptor by
// SCM_RIGHTS. Both ends are the same program. Thread: values.
#pragma once

#include <cstdint>

namespace netchannel {

enum class GuardianOrder : uint32_t { kAddRegion, kSetEventFd, kRemoveRegion, kFarewell };

struct GuardianMessage {
  GuardianOrder order;
  uint32_t region;
  uint32_t set;
};

}  // namespace netchannel
