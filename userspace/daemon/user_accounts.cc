// SPDX-License-Identifier: Apache-2.0
#include "daemon/user_accounts.h"

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
  for (auto& [uid, user] : users_) user.memory_bytes = 0;
}

void UserAccounts::AddMemory(uid_t uid, uint64_t bytes) {
  const auto found = users_.find(uid);
  if (found != users_.end()) found->second.memory_bytes += bytes;
}

void UserAccounts::EndLook() {
  for (auto& [uid, user] : users_) {
    user.account.out_of_memory = user.memory_bytes > limits_.memory_bytes;
  }
}

bool UserAccounts::TooMuch(uid_t uid) const {
  const auto found = users_.find(uid);
  return found != users_.end() && found->second.account.out_of_memory;
}

bool UserAccounts::FarTooMuch(uid_t uid) const {
  const auto found = users_.find(uid);
  return found != users_.end() && found->second.memory_bytes / 2 > limits_.memory_bytes;
}

}  // namespace netchannel
