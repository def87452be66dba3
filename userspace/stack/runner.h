// SPDX-License-Identifier: Apache-2.0
//
// Who runs the stack, and when. Exactly one thread at a time does: it holds the lease. It is either
// the stack's own thread or an application thread that waits in a call and lends itself (no
// hand-over: the thread that wants the packet takes it from the ring).
//
// - An application thread waits: Lend. It runs rounds until its condition holds, and sleeps on the
//   XSKs itself. A running own thread makes room for it.
// - An application thread has sent, and nobody runs the stack: Wake. One round on the spot.
// - It sends message after message: streaming. One round on the spot for many messages.
// - Nobody lends for a while: the own thread takes over, spins for a bounded time, then sleeps on
//   the XSKs.
// - Application threads lend or stream: the own thread stands by. It looks once a period whether
//   they still do, or those who come often put its timer off, so that acknowledgements and timers
//   never wait longer than that.
// - Several threads wait: those that sleep elsewhere need the own thread, which keeps the lease.
//
// Thread: Lend, Wake and Attend from any; Start and Stop from the owner. Nothing below holds a
// lock.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "base/units.h"
#include "ipc/futex.h"
#include "ipc/link.h"
#include "stack/bridge.h"
#include "stack/core_sharing.h"
#include "stack/host.h"
#include "stack/signal_guard.h"
#include "stack/sleeper.h"
#include "stack/spin_policy.h"
#include "stack/standby_timer.h"
#include "stack/thread_priority.h"

namespace netchannel {

struct RunnerConfig {
  Duration spin = Duration::Micros(50);
  bool lend = true;
  ThreadPriorityConfig priority;  // of the stack's own thread
};

// What a round does besides the host and the bridge (the kernel's routes, for one). Called when the
// last look's period is over, when a sleep was ended by one of the descriptors that only it reads,
// and when the bridge has deferred calls.
class Housekeeping {
 public:
  virtual ~Housekeeping() = default;
  // Until the next look; what only Housekeeping sees waits so long for an idle round, and then as
  // long again at most. A look costs system calls.
  virtual Duration Poll(Time now) = 0;
  // After a Poll: when there is to be the next one, although no descriptor tells and the stack may
  // be idle until then.
  virtual Time NextTimeout() const = 0;
};

class Runner {
 public:
  Runner(const RunnerConfig& config, Host* host, Bridge* bridge, Sleeper* sleeper,
         Housekeeping* housekeeping);
  ~Runner();

  void Start();
  // Returns when no thread runs the stack any more. Lenders return first; no call may come after.
  void Stop();

  ipc::LendResult Lend(bool (*done)(void*), void* argument, Time deadline, bool spin);
  void Wake();
  void Attend();
  // Under the lease. Time that rounds which moved something have taken.
  Duration busy() const { return busy_; }
  // Under the lease.
  const ThreadPriority::Status& priority_status() const { return priority_.status(); }

  // Runs `inspect` while nobody else runs the stack. Control plane. A thread that runs it makes
  // room after its round, however much there is to do.
  template <typename F>
  auto WithLease(F inspect) {
    inspectors_.fetch_add(1);
    // Who asks for a round meanwhile relies on whoever has the lease.
    const absl::Cleanup look_again = [this] {
      if (round_wanted_) Wake();
    };
    const std::lock_guard<std::mutex> hold(lease_);
    inspectors_.fetch_sub(1);
    ipc::FutexWake(inspectors_, 1, ipc::FutexScope::kPrivate);
    return inspect();
  }

 private:
  // The standby look: bounds how late an acknowledgement or a timer can be when application threads
  // come no more. A look interrupts the thread that runs the stack on the same core: while they
  // come often its period doubles, and from kMaxSleep on they put the StandbyTimer off instead.
  static constexpr Duration kStandbyPeriod = Duration::Millis(1);
  static constexpr uint32_t kBusyCalls = StandbyTimer::kOften;  // between two looks
  // A sender that comes back this soon after the round that its message took, so many times in a
  // row, does nothing but send: a round a message (1 us and more) is what it waits for. From then
  // on it rings once in kFlushBytes (ipc/abi.h), until it pauses.
  static constexpr int kWakesBeforeStreaming = 16;
  static constexpr Duration kStreamingGap = Duration::Micros(2);
  // While it streams, the own thread looks whether it still comes: bounds how late the last
  // messages of a burst leave when no call follows them. A call that waits or polls sends them at
  // once.
  static constexpr Duration kStreamingPeriod = Duration::Micros(250);
  // A timer that an application thread's round has set while the own thread slept is at most this
  // late (it matters for a lost lone packet only): ringing for it would cost 15 us each time.
  static constexpr Duration kMaxSleep = StandbyTimer::kPatience;
  // The sleeps of a stack that has nothing to do grow up to this, each wake-up being 100 us and
  // more of its core; then a round that sets a timer bounds the sleep, once. Within it, and 30 ms
  // of reading, a change in the steering maps is in force (steering.h).
  static constexpr Duration kLongestSleep = Duration::Millis(50);

  static constexpr Time kLongAgo = Time::FromNanos(0);

  // A thread that was woken takes the lease within it, else it is asked to again after a round.
  static constexpr Duration kGiveWayPatience = Duration::Millis(1);

  struct RoundResult {
    size_t received = 0;
    size_t moved = 0;
    bool any() const { return received + moved > 0; }
  };

  void Main();
  void RunOwn(std::unique_lock<std::mutex>& lease);
  // The own thread runs the stack from here on: nobody streams. Precondition: the lease.
  void TakeOver();
  void StandBy();
  // One sleep of the thread that stands by. `event`: own_event_ before it looked around. True:
  // application threads come often.
  bool StandByFor(Duration period, uint32_t event, uint32_t seen);
  // False: a signal ends it.
  bool RunLent(std::unique_lock<std::mutex>& lease, bool (*done)(void*), void* argument,
               Time deadline, bool spin, SignalGuard* signals);
  RoundResult Round(Time now);
  // The part of a round that brings on what the applications and the timers ask for.
  size_t Move(Time now);
  void KeepHouse(Time now);
  // Tells the applications that they must ring from here on. False when one has put something on
  // its doorbell before it could know: run another round.
  bool AnnounceSleep();
  // What a lender waits for, and until when. They hold while it sleeps, for whoever has the lease
  // then.
  struct Wanted {
    bool (*done)(void*);
    void* argument;
    Time wakes_at;
  };
  // Lets who sleeps now look in kMaxSleep, when the first timer would else be later than that. Not
  // at once: its thread would take the stack from the one that sends. Precondition: the lease.
  void BoundSleep(Time now);
  // The sender comes no more, beside a lender that is asleep: who has to send what it has left, and
  // to see to the timers. By the own thread, without the lease; while another has it, there is
  // somebody who comes, and it does nothing.
  void EndStreaming();
  // Gives the lease up. Rounds that were asked for while it was held are run first.
  void Leave(std::unique_lock<std::mutex>& lease);
  void WakeOwnThread();
  // Lets WithLease have the lease for once. A mutex is not fair: who unlocks and locks keeps it.
  void GiveWay(std::unique_lock<std::mutex>& lease);
  // Since when to count the next spin. What has come is worth looking for more of its kind. When
  // nothing has, for the longest sleep, it is kLongAgo: a round in vain, and the thread sleeps
  // again. Teaches the spinning from how long the sleep was. `idle_since`: of the spin before it.
  Time AfterSleep(Time fell_asleep, Time deadline, Time idle_since);
  // Counts how soon senders come back. Precondition: the lease.
  void NoteSender(Time now);
  // What applications must do when nobody runs the stack.
  ipc::StackSleep rest() const {
    return streaming_ ? ipc::StackSleep::kStreaming : ipc::StackSleep::kAsleep;
  }

  const RunnerConfig config_;
  Host* const host_;
  Bridge* const bridge_;
  Sleeper* const sleeper_;
  Housekeeping* const housekeeping_;

  std::mutex lease_;
  SpinPolicy spin_;                           // under lease_
  ThreadPriority priority_;                   // under lease_
  CoreSharing sharing_;                       // under lease_
  Time next_housekeeping_;                    // under lease_; in an idle round
  Time latest_housekeeping_;                  // under lease_; in any round
  Time housekeeping_due_ = Time::Infinite();  // under lease_: its NextTimeout
  Duration busy_;                             // under lease_
  Duration longest_sleep_ = kMaxSleep;        // under lease_
  Time own_sleeps_until_ = kLongAgo;          // under lease_; on the Sleeper
  bool sleep_bounded_ = false;                // under lease_; who sleeps now looks in time
  Time round_began_;  // under lease_; of the last round, and whether it moved something
  bool round_worked_ = false;
  Time last_round_end_;     // under lease_; of a sender's round
  int wakes_in_a_row_ = 0;  // under lease_
  std::atomic<bool> streaming_{false};
  std::atomic<bool> round_wanted_{false};  // a Wake that found the lease taken
  std::atomic<bool> lent_{false};
  std::atomic<bool> lender_asleep_{false};
  Wanted sleeper_wants_{};  // under lease_; while lender_asleep_
  std::atomic<uint32_t> lend_wanted_{0};
  std::atomic<uint32_t> activity_{0};  // moves with each Lend and Wake
  std::atomic<bool> stopping_{false};
  std::atomic<uint32_t> inspectors_{0};  // futex: threads that wait in WithLease
  std::atomic<uint32_t> own_event_{0};   // futex of the own thread while it stands by
  std::atomic<bool> own_parked_{false};  // stands by without a time limit
  std::atomic<bool> own_standing_by_{false};
  StandbyTimer standby_timer_;
  std::thread thread_;
};

}  // namespace netchannel
