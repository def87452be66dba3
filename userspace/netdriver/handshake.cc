// SPDX-License-Identifier: Apache-2.0
#include "netdriver/handshake.h"

namespace netchannel {

void ClientHandshake::OnInitSent(Time now) {
  next_send_ = now + retry_;
  retry_ = std::min(retry_ * 2, kMaxRetry);
}

void ClientHandshake::OnCookie(Time now, const wire::Cookie& cookie) {
  if (!cookie_) {
    next_send_ = now;
    retry_ = kFirstRetry;
  }
  cookie_ = cookie;
  probe_until_ = Time::Infinite();  // there is somebody
}

void ClientHandshake::ProbeUntil(Time now, Time until) {
  if (!cookie_) probe_until_ = std::min(probe_until_, until);
  Resume(now);
}

void ClientHandshake::WaitPatiently(Time now) {
  patient_ = true;
  Resume(now);
}

void ClientHandshake::Resume(Time now) {
  if (asking()) return;
  next_send_ = now;
  retry_ = kFirstRetry;
}

void ClientHandshake::OnSilent() {
  probe_until_ = Time::Infinite();
  if (!patient_) next_send_ = Time::Infinite();
}

ClientHandshake::Action ClientHandshake::Poll(Time now) const {
  if (now >= give_up_) return Action::kGiveUp;
  if (now >= probe_until_) return Action::kSilent;
  return now >= next_send_ ? Action::kSendInit : Action::kNone;
}

InitVerdict JudgeInit(uint64_t nonce, std::optional<Time> cookie_made, const KnownSession* known) {
  if (!cookie_made) return InitVerdict::kSendCookie;
  if (known == nullptr) return InitVerdict::kCreate;
  if (known->connecting) return nonce > known->nonce ? InitVerdict::kAdopt : InitVerdict::kIgnore;
  if (nonce == known->nonce) {
    return known->client ? InitVerdict::kIgnore : InitVerdict::kRepeatAccept;
  }
  return *cookie_made > known->since ? InitVerdict::kReplace : InitVerdict::kSendCookie;
}

}  // namespace netchannel
