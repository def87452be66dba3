// SPDX-License-Identifier: Apache-2.0
// On the real clock, which can only make a wait longer: lower bounds, and what ends a wait that
// would last an hour.
#include "stack/standby_timer.h"

#include <gtest/gtest.h>

#include <thread>

#include "ipc/futex.h"

namespace netchannel {
namespace {

constexpr Duration kShort = Duration::Millis(500);
constexpr Duration kHour = Duration::Seconds(3600);
constexpr uint32_t kMany = 1000;

class Standby {
 public:
  explicit Standby(Duration patience) : timer_(patience) {}

  // Waits. True: it went off.
  bool Wait() { return timer_.Wait(ipc::MonotonicNow(), event_, seen_); }
  // As Runner::WakeOwnThread.
  void Wake() {
    event_.fetch_add(1);
    timer_.Wake();
  }
  // Waits while another thread calls PutOff(when, and each time so many calls more). True: it went
  // off.
  bool WaitBesideCalls(Time when, uint32_t calls_each) {
    std::atomic<bool> over{false};
    std::thread caller([&] {
      for (uint32_t calls = calls_each; !over; calls += calls_each) {
        timer_.PutOff(when, calls);
        std::this_thread::yield();
      }
    });
    const bool went_off = Wait();
    over = true;
    caller.join();
    return went_off;
  }
  void TakeEvent() { seen_ = event_; }

 private:
  StandbyTimer timer_;
  std::atomic<uint32_t> event_{0};
  uint32_t seen_ = 0;
};

TEST(StandbyTimerTest, GoesOffWhenNobodyComes) {
  Standby standby(kShort);
  const Time start = ipc::MonotonicNow();
  EXPECT_TRUE(standby.Wait());
  EXPECT_GE(ipc::MonotonicNow() - start, kShort);
}

TEST(StandbyTimerTest, WhoComesOftenPutsItOff) {
  Standby standby(kShort);
  const Time later = ipc::MonotonicNow() + kShort;
  EXPECT_TRUE(standby.WaitBesideCalls(later, kMany));
  EXPECT_GE(ipc::MonotonicNow(), later + kShort);
}

TEST(StandbyTimerTest, WhoComesRarelyDoesNot) {
  Standby standby(kShort);
  // Put off once it would go off in an hour.
  EXPECT_TRUE(standby.WaitBesideCalls(ipc::MonotonicNow() + kHour, 0));
}

TEST(StandbyTimerTest, ACallBeforeItIsDueDoesNot) {
  Standby standby(kShort);
  EXPECT_TRUE(standby.WaitBesideCalls(Time::FromNanos(0), kMany));
}

TEST(StandbyTimerTest, EachWakeEndsAWait) {
  Standby standby(kHour);
  std::atomic<int> waits{0};
  std::thread waiter([&] {
    for (int i = 0; i < 2000; ++i) {
      EXPECT_FALSE(standby.Wait());
      standby.TakeEvent();
      ++waits;
    }
  });
  // One may end several: who takes the event has seen all that came before.
  while (waits < 2000) standby.Wake();
  waiter.join();
}

TEST(StandbyTimerTest, WhatHasHappenedBeforeIsNotWaitedFor) {
  Standby standby(kHour);
  standby.Wake();
  EXPECT_FALSE(standby.Wait());
}

}  // namespace
}  // namespace netchannel
