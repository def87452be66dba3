// SPDX-License-Identifier: Apache-2.0
//
// What each user's applications use, and may: sockets at once, and memory of their regions. Above
// the limit of memory nothing is kept for next sockets; when the rest is above it, a user gets no
// more sockets and applications until some is given back; when the rest is above twice the limit
// (an application can touch pages without asking anyone) its largest application is to be evicted.
//
// Owner: the daemon. Thread: the one that holds the lease.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>

#include "base/units.h"
#include "stack/application.h"

namespace netchannel {

struct UserLimits {
  uint32_t sockets = UINT32_MAX;
  uint64_t memory_bytes = UINT64_MAX;
  uint32_t applications = UINT32_MAX;
};

class UserAccounts {
 public:
  explicit UserAccounts(const UserLimits& limits) : limits_(limits) {}

  // An application of the user begins and ends. nullptr: it would be one too many.
  UserAccount* Enter(uid_t user);
  void Leave(uid_t user);

  // A look at all regions: first none has any memory, then each is added. `kept`: of it, what is
  // kept for next sockets.
  void BeginLook();
  void AddMemory(uid_t user, ByteCount bytes, ByteCount kept);
  void EndLook();
  // With what is kept.
  bool TooMuch(uid_t user) const;
  bool FarTooMuch(uid_t user) const;

 private:
  struct User {
    UserAccount account;
    uint32_t applications = 0;
    ByteCount memory = 0, kept = 0;
  };

  const UserLimits limits_;
  std::map<uid_t, User> users_;  // those that have applications
};

}  // namespace netchannel
