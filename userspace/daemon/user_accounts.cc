// SPDX-License-Identifier: Apache-2.0
#include "daemon/user_accounts.h"

#include <algorithm>

namespace netchannel {

UserAccount* UserAccounts::Enter(uid_t uid) {
  User& user = users_[uid];
  // Not so for a new one, whose limits are above 0.
  if (user.applications >= limits_.applications || user.account.out_of_memory) return nullptr;
  user.account.max_sockets = limits_.sockets;
  ++user.applications;
  return &user.account;
}

void UserAccounts::Leave(uid_t uid) {
  const auto found = users_.find(uid);
  if (found != users_.end() && --found->second.applications == 0) users_.erase(found);
}

void UserAccounts::BeginLook() {
  for (auto& [uid, user] : users_) user.memory = user.kept = 0;
}

void UserAccounts::AddMemory(uid_t uid, ByteCount bytes, ByteCount kept) {
  const auto found = users_.find(uid);
  if (found == users_.end()) return;
  found->second.memory += bytes;
  found->second.kept += std::min(kept, bytes);
}

void UserAccounts::EndLook() {
  for (auto& [uid, user] : users_) {
    user.account.out_of_memory = user.memory - user.kept > limits_.memory_bytes;
  }
}

bool UserAccounts::TooMuch(uid_t uid) const {
  const auto found = users_.find(uid);
  return found != users_.end() && found->second.memory > limits_.memory_bytes;
}

bool UserAccounts::FarTooMuch(uid_t uid) const {
  const auto found = users_.find(uid);
  if (found == users_.end()) return false;
  const User& user = found->second;
  return (user.memory - user.kept) / 2 > limits_.memory_bytes;
}

}  // namespace netchannel
