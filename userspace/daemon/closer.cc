// SPDX-License-Identifier: Apache-2.0
#include "daemon/closer.h"

#include <utility>

#include "daemon/helper_thread.h"

namespace netchannel {

Closer::Closer() : state_(std::make_shared<State>()) {}

Closer::~Closer() {
  const std::lock_guard<std::mutex> hold(state_->mutex);
  state_->stopping = true;
  state_->more.notify_all();
}

void Closer::Close(uid_t uid, UniqueFd fd) {
  if (!fd.valid()) return;
  const std::lock_guard<std::mutex> hold(state_->mutex);
  User& user = state_->users[uid];
  user.waiting.push_back(std::move(fd));
  Claim(*state_, uid, user);
  const bool enough = static_cast<size_t>(state_->idle) >= state_->claims.size();
  if (!enough && state_->threads < kMaxThreads) {
    state_->threads += StartHelperThread([state = state_] { Main(*state); }) ? 1 : 0;
  }
  state_->more.notify_one();
}

void Closer::Claim(State& state, uid_t uid, User& user) {
  const bool has_thread = user.claims + user.closing < kThreadsOfUser;
  if (!has_thread || static_cast<size_t>(user.claims) >= user.waiting.size()) return;
  ++user.claims;
  state.claims.push_back(uid);
}

bool Closer::MustWait(uid_t uid) const {
  const std::lock_guard<std::mutex> hold(state_->mutex);
  const auto found = state_->users.find(uid);
  return found != state_->users.end() && found->second.waiting.size() >= kMaxWaiting;
}

bool Closer::IsStuck(uid_t uid) const {
  const std::lock_guard<std::mutex> hold(state_->mutex);
  const auto found = state_->users.find(uid);
  return found != state_->users.end() && found->second.stands &&
         found->second.waiting.size() >= kMaxWaiting;
}

void Closer::Look() {
  const std::lock_guard<std::mutex> hold(state_->mutex);
  for (auto& [uid, user] : state_->users) {
    user.stands = user.closed == std::exchange(user.closed_before, user.closed);
  }
}

void Closer::Main(State& state) {
  std::unique_lock<std::mutex> hold(state.mutex);
  while (!state.stopping || !state.claims.empty()) {
    if (state.claims.empty()) {
      if (state.idle > 0) break;  // one is enough while nothing comes
      ++state.idle;
      state.more.wait(hold, [&] { return state.stopping || !state.claims.empty(); });
      --state.idle;
      continue;
    }
    const uid_t uid = state.claims.front();
    state.claims.pop_front();
    User& user = state.users[uid];  // stays while one of its descriptors is being closed
    --user.claims;
    ++user.closing;
    {
      const UniqueFd fd = std::move(user.waiting.front());
      user.waiting.pop_front();
      hold.unlock();
    }  // closed here
    hold.lock();
    --user.closing;
    ++user.closed;
    Claim(state, uid, user);
    if (user.waiting.empty() && user.closing == 0) state.users.erase(uid);
  }
  --state.threads;
}

}  // namespace netchannel
