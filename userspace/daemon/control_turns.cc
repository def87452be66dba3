// SPDX-License-Identifier: Apache-2.0
#include "daemon/control_turns.h"

namespace netchannel {

void ControlTurns::Add(uid_t uid, uint32_t connection) {
  User& user = users_[uid];
  user.waiting.push_back(connection);
  if (user.waiting.size() == 1) in_turn_.push_back(uid);
}

std::optional<uint32_t> ControlTurns::Next(Time now) {
  while (!beyond_rate_.empty() && beyond_rate_.begin()->first <= now) {
    in_turn_.push_back(beyond_rate_.begin()->second);
    beyond_rate_.erase(beyond_rate_.begin());
  }
  while (!in_turn_.empty()) {
    const uid_t uid = in_turn_.front();
    in_turn_.pop_front();
    User& user = users_[uid];
    if (!user.rate.MayGo(now)) {
      beyond_rate_.emplace(user.rate.NextTimeout(), uid);
      continue;
    }
    const uint32_t connection = user.waiting.front();
    user.waiting.pop_front();
    if (!user.waiting.empty()) in_turn_.push_back(uid);
    return connection;
  }
  return std::nullopt;
}

void ControlTurns::Charge(Time now, uid_t uid, int64_t messages) {
  users_[uid].rate.Charge(now, messages);
}

Time ControlTurns::NextTimeout() const {
  if (!in_turn_.empty()) return Time();
  return beyond_rate_.empty() ? Time::Infinite() : beyond_rate_.begin()->first;
}

void ControlTurns::ForgetIdle(Time now) {
  std::erase_if(users_, [now](const auto& entry) {
    return entry.second.waiting.empty() && entry.second.rate.IsWhole(now);
  });
}

}  // namespace netchannel
