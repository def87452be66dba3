// SPDX-License-Identifier: Apache-2.0
#include "stack/runner.h"

#include <algorithm>
#include <bit>

#include "ipc/futex.h"

namespace netchannel {

namespace {

void Relax() { __builtin_ia32_pause(); }

}  // namespace

Runner::Runner(const RunnerConfig& config, Host* host, Bridge* bridge, Sleeper* sleeper,
               Housekeeping* housekeeping)
    : config_(config),
      host_(host),
      bridge_(bridge),
      sleeper_(sleeper),
      housekeeping_(housekeeping),
      spin_(config.spin),
      priority_(config.priority),
      sharing_(bridge) {
  // Who lends returns to its application, and is not there to wake somebody later.
  if (!config.lend) bridge->BePatient();
}

Runner::~Runner() { Stop(); }

void Runner::Start() {
  const BlockAllSignals block;  // the thread inherits it
  thread_ = std::thread([this] { Main(); });
}

void Runner::Stop() {
  stopping_ = true;
  sleeper_->Ring();
  WakeOwnThread();
  if (thread_.joinable()) thread_.join();
  while (lent_) {  // a lender returns after the round it is in, or when it is woken
    sleeper_->Ring();
    std::this_thread::yield();
  }
}

Runner::RoundResult Runner::Round(Time now) {
  RoundResult result;
  if (round_worked_) busy_ = busy_ + (now - round_began_);
  round_began_ = now;
  if (round_wanted_.load(std::memory_order_relaxed)) round_wanted_ = false;  // before Serve looks
  // Whoever waits for this round does not wait for the housekeeping, if an idle round comes in
  // time.
  if (now >= latest_housekeeping_ || bridge_->HasDeferred()) {
    KeepHouse(now);
  }
  result.received = host_->Receive(now);
  if (result.received > 0) bridge_->Publish(now);
  result.moved = Move(now);
  if (!result.any() && now >= next_housekeeping_) {
    KeepHouse(now);
    result.moved = Move(now);
  }
  // Nothing came: those who were let sleep on would wait for nothing.
  if (result.received == 0 || bridge_->OwesWakes(now)) bridge_->WakeReaders();
  round_worked_ = result.any();
  if (round_worked_) longest_sleep_ = kMaxSleep;
  return result;
}

size_t Runner::Move(Time now) {
  const size_t served = bridge_->Serve(now);
  const size_t sent = host_->Transmit(now);
  bridge_->Publish(now);
  return served + sent;
}

void Runner::KeepHouse(Time now) {
  const Duration period = housekeeping_->Poll(now);
  housekeeping_due_ = housekeeping_->NextTimeout();
  next_housekeeping_ = std::min(now + period, housekeeping_due_);
  latest_housekeeping_ = next_housekeeping_ + period;
}

bool Runner::AnnounceSleep() {
  bridge_->SetSleeping(rest());
  if (!bridge_->HasWork()) return true;
  bridge_->SetSleeping(ipc::StackSleep::kAwake);
  return false;
}

Time Runner::AfterSleep(Time fell_asleep, Time deadline, Time idle_since) {
  const Time now = ipc::MonotonicNow();
  sleep_bounded_ = false;  // whoever it was for: it may have ended this sleep
  if (sleeper_->TakeOthersReady()) next_housekeeping_ = now;
  if (now < deadline) {
    const bool spun = idle_since != kLongAgo || spin_.budget() == Duration::Zero();
    if (spun) spin_.OnWoken(now - fell_asleep);
    return now;
  }
  if (deadline - fell_asleep < longest_sleep_) return now;  // a timer's, or the caller's
  longest_sleep_ = std::min(longest_sleep_ * 2, kLongestSleep);
  return kLongAgo;
}

// ---- the stack's own thread ----

void Runner::Main() {
  {
    const std::lock_guard<std::mutex> lease(lease_);
    priority_.Raise(ipc::MonotonicNow());
  }
  while (!stopping_) {
    {
      std::unique_lock<std::mutex> lease(lease_);
      RunOwn(lease);
    }
    StandBy();
  }
}

// A sender may have begun to stream while this thread was about to take the lease.
void Runner::TakeOver() {
  streaming_ = false;
  bridge_->SetSleeping(ipc::StackSleep::kAwake);
}

void Runner::RunOwn(std::unique_lock<std::mutex>& lease) {
  TakeOver();
  Time idle_since = ipc::MonotonicNow();
  priority_.AfterSleep(idle_since);
  while (!stopping_) {
    const Time now = ipc::MonotonicNow();
    priority_.Check(now);
    const RoundResult round = Round(now);
    if (inspectors_.load(std::memory_order_relaxed) > 0) GiveWay(lease);
    if (lend_wanted_.load(std::memory_order_relaxed) > 0) break;
    if (round.any()) {
      idle_since = now;
      if (!config_.lend) sharing_.OnWork(now, round.received, round.moved);
      continue;
    }
    if (now - idle_since < spin_.budget() ||
        (!config_.lend && sharing_.IsAwaited(now, idle_since))) {
      // Who does not lend serves other threads, and one of them may wait for this very core.
      config_.lend ? Relax() : sharing_.OnIdle(now);
      continue;
    }
    if (!AnnounceSleep()) continue;
    const Time deadline = std::min({host_->NextTimeout(), housekeeping_due_, now + longest_sleep_});
    own_sleeps_until_ = deadline;
    sleep_bounded_ = false;
    priority_.BeforeSleep();
    lease.unlock();
    if (!round_wanted_) sleeper_->Sleep(now, deadline);
    if (lent_ || streaming_) {
      // An application thread runs the stack now: stand by. A ring that has ended this sleep may
      // have been for it.
      sleeper_->Ring();
      return;
    }
    lease.lock();
    own_sleeps_until_ = kLongAgo;
    TakeOver();
    idle_since = AfterSleep(now, deadline, idle_since);
    priority_.AfterSleep(ipc::MonotonicNow());
  }
  priority_.BeforeSleep();
  bridge_->SetSleeping(ipc::StackSleep::kAsleep);
}

void Runner::GiveWay(std::unique_lock<std::mutex>& lease) {
  lease.unlock();
  const uint32_t waiting = inspectors_;
  // Asleep, not yielding: at real-time priority nobody else would get the core.
  if (waiting > 0) {
    const Time patience = ipc::MonotonicNow() + kGiveWayPatience;
    ipc::FutexWait(inspectors_, waiting, patience, ipc::FutexScope::kPrivate);
  }
  lease.lock();
}

void Runner::StandBy() {
  uint32_t seen = activity_;
  Duration period = kStandbyPeriod;
  while (!stopping_) {
    const uint32_t event = own_event_;
    own_standing_by_ = true;
    if (!lent_ && bridge_->HasSleepers()) break;
    const bool often = StandByFor(period, event, seen);
    const uint32_t activity = activity_;
    if (activity == seen) {  // nobody came for a whole period
      if (!lent_) break;
      if (streaming_) EndStreaming();
    }
    period = often ? std::min(period * 2, kMaxSleep) : kStandbyPeriod;
    seen = activity;
  }
  own_standing_by_ = false;
}

bool Runner::StandByFor(Duration period, uint32_t event, uint32_t seen) {
  own_parked_ = true;
  const bool park = lender_asleep_ && !streaming_;
  if (!park) own_parked_ = false;
  const Time now = ipc::MonotonicNow();
  if (!park && !streaming_ && period == kMaxSleep && standby_timer_.usable()) {
    return !standby_timer_.Wait(now, own_event_, event);
  }
  const Time look_again = park ? Time::Infinite() : now + (streaming_ ? kStreamingPeriod : period);
  ipc::FutexWait(own_event_, event, look_again, ipc::FutexScope::kPrivate);
  own_parked_ = false;
  return activity_ - seen >= kBusyCalls;
}

void Runner::WakeOwnThread() {
  own_event_.fetch_add(1);
  ipc::FutexWake(own_event_, 1, ipc::FutexScope::kPrivate);
  standby_timer_.Wake();
}

// ---- application threads ----

ipc::LendResult Runner::Lend(bool (*done)(void*), void* argument, Time deadline, bool spin) {
  if (!config_.lend || stopping_ || bridge_->HasSleepers() || lent_.exchange(true)) {
    return ipc::LendResult::kUnavailable;
  }
  std::unique_lock<std::mutex> lease(lease_, std::try_to_lock);
  if (!lease.owns_lock()) {
    ++lend_wanted_;
    lease.lock();
    --lend_wanted_;
  }
  wakes_in_a_row_ = 0;
  bridge_->SetSleeping(ipc::StackSleep::kAwake);
  const Time now = ipc::MonotonicNow();
  standby_timer_.PutOff(now, activity_);
  SignalGuard signals(now);
  const bool undisturbed = RunLent(lease, done, argument, deadline, spin, &signals);
  bridge_->SetSleeping(rest());
  lent_ = false;
  activity_.fetch_add(1);
  Leave(lease);
  if (own_parked_ || bridge_->HasSleepers()) WakeOwnThread();
  return undisturbed ? ipc::LendResult::kRan : signals.Outcome();
}

bool Runner::RunLent(std::unique_lock<std::mutex>& lease, bool (*done)(void*), void* argument,
                     Time deadline, bool spin, SignalGuard* signals) {
  Time idle_since = ipc::MonotonicNow();
  while (!stopping_ && !done(argument)) {
    const Time now = ipc::MonotonicNow();
    if (now >= deadline) break;
    if (inspectors_.load(std::memory_order_relaxed) > 0) GiveWay(lease);
    const bool worked = Round(now).any();
    // After the round: when the core was away for long, what was waited for may be there now.
    if (done(argument)) break;
    if (signals->MustLeave(now)) return false;
    if (worked) {
      idle_since = now;
      continue;
    }
    if (spin || now - idle_since < spin_.budget()) {
      Relax();
      continue;
    }
    if (!AnnounceSleep()) continue;
    const Time wake_at =
        std::min({host_->NextTimeout(), housekeeping_due_, now + longest_sleep_, deadline});
    sleeper_wants_ = {done, argument, wake_at};
    lender_asleep_ = true;
    lease.unlock();
    const bool undisturbed = round_wanted_ || sleeper_->Sleep(now, wake_at, signals->Block());
    lease.lock();
    lender_asleep_ = false;
    bridge_->SetSleeping(ipc::StackSleep::kAwake);
    if (!undisturbed) {
      signals->OnInterruptedSleep();
      return false;
    }
    idle_since = AfterSleep(now, wake_at, idle_since);
  }
  return true;
}

void Runner::Wake() {
  round_wanted_ = true;
  std::unique_lock<std::mutex> lease(lease_, std::try_to_lock);
  if (!lease.owns_lock())
    return;  // the holder runs the round: it looks at round_wanted_ when it leaves
  const Time now = ipc::MonotonicNow();
  NoteSender(now);
  standby_timer_.PutOff(now, activity_.fetch_add(1));
  Leave(lease);
}

void Runner::NoteSender(Time now) {
  // An application that only asks whether something has come is no stream of messages.
  const bool sends = bridge_->HasWork();
  wakes_in_a_row_ = sends && now - last_round_end_ < kStreamingGap ? wakes_in_a_row_ + 1 : 0;
  if (wakes_in_a_row_ < kWakesBeforeStreaming || streaming_ || !config_.lend) return;
  streaming_ = true;
  bridge_->SetSleeping(ipc::StackSleep::kStreaming);
  // To stand by and look, from wherever it sleeps.
  WakeOwnThread();
  sleeper_->Ring();
}

void Runner::EndStreaming() {
  bool asleep;
  {
    const std::unique_lock<std::mutex> lease(lease_, std::try_to_lock);
    if (!lease.owns_lock()) return;
    asleep = lender_asleep_;
    if (asleep) streaming_ = false;
  }
  if (asleep) {
    sleeper_->Ring();
  } else if (round_wanted_) {  // of who found the lease taken just now
    Wake();
  }
}

void Runner::Leave(std::unique_lock<std::mutex>& lease) {
  while (true) {
    bool received = false;
    while (round_wanted_ || bridge_->HasWork()) {
      received |= Round(ipc::MonotonicNow()).received > 0;
    }
    last_round_end_ = ipc::MonotonicNow();
    bridge_->WakeReaders();  // the next round may be a sleep away
    // What has come may have given it another time to wake at: while a sender streams, that has
    // until EndStreaming. And what it waits for may have become true by what an application has
    // done.
    const bool ring = lender_asleep_ &&
                      ((received && !streaming_) || sleeper_wants_.done(sleeper_wants_.argument));
    BoundSleep(last_round_end_);
    lease.unlock();
    if (ring) sleeper_->Ring();
    if (!round_wanted_ || !lease.try_lock()) return;
  }
}

void Runner::BoundSleep(Time now) {
  if (sleep_bounded_ || (!lender_asleep_ && own_standing_by_)) return;
  const Time late = (lender_asleep_ ? sleeper_wants_.wakes_at : own_sleeps_until_) - kMaxSleep;
  // While a sender streams, the own thread has to look for what it leaves behind.
  if (late <= now || (!streaming_ && late <= host_->NextTimeout())) return;
  sleeper_->WakeBy(now + kMaxSleep);
  sleep_bounded_ = true;
}

void Runner::Attend() {
  if (own_standing_by_) WakeOwnThread();
}

}  // namespace netchannel
