// SPDX-License-Identifier: Apache-2.0
// On threads of its own; what the machine does not permit is skipped, and says so.
#include "stack/thread_priority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <thread>

namespace netchannel {
namespace {

using ::testing::HasSubstr;

constexpr Time kStart = Time::FromNanos(1'000'000'000);
constexpr Duration kBudget = Duration::Millis(10);

int Niceness() { return getpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid))); }

class ThreadPriorityTest : public testing::Test {
 protected:
  // Runs `body` on a thread that has asked for `scheduling`. What was refused, or "".
  static std::string With(Scheduling scheduling, uint32_t priority,
                          const std::function<void(ThreadPriority&)>& body) {
    ThreadPriority thread_priority({scheduling, priority, kBudget, /*limit_process=*/false});
    std::thread([&] {
      thread_priority.Raise(kStart);
      const bool as_asked = thread_priority.status().scheduling == scheduling;
      if (as_asked) body(thread_priority);
    }).join();
    return thread_priority.status().why;
  }
};

TEST_F(ThreadPriorityTest, OrdinaryIsLeftAsItIs) {
  const std::string why = With(Scheduling::kNormal, 0, [](ThreadPriority& priority) {
    priority.Check(kStart + kBudget * 100);
    EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
    EXPECT_EQ(priority.status().budgets_spent, 0u);
  });
  EXPECT_EQ(why, "");
}

TEST_F(ThreadPriorityTest, ASpentBudgetLowersItUntilTheNextSleep) {
  const std::string why = With(Scheduling::kNice, 5, [](ThreadPriority& priority) {
    EXPECT_EQ(Niceness(), -5);
    priority.Check(kStart + kBudget);
    EXPECT_EQ(Niceness(), -5);
    priority.Check(kStart + kBudget + Duration::Nanos(1));
    EXPECT_EQ(Niceness(), 0);
    priority.Check(kStart + kBudget * 2);
    EXPECT_EQ(priority.status().budgets_spent, 1u);
    priority.BeforeSleep();
    EXPECT_EQ(Niceness(), -5);
    priority.AfterSleep(kStart + kBudget * 3);
    priority.Check(kStart + kBudget * 4);
    EXPECT_EQ(Niceness(), -5);
  });
  if (!why.empty()) GTEST_SKIP() << why;
}

TEST_F(ThreadPriorityTest, OtherThreadsKeepTheirNiceness) {
  const int before = Niceness();
  With(Scheduling::kNice, 5, [](ThreadPriority&) {});
  EXPECT_EQ(Niceness(), before);
}

TEST_F(ThreadPriorityTest, RealTimeIsGivenAndTakenBack) {
  for (const Scheduling scheduling : {Scheduling::kFifo, Scheduling::kRoundRobin}) {
    const int policy = scheduling == Scheduling::kFifo ? SCHED_FIFO : SCHED_RR;
    const std::string why = With(scheduling, 3, [policy](ThreadPriority& priority) {
      EXPECT_EQ(sched_getscheduler(0) & ~SCHED_RESET_ON_FORK, policy);
      priority.Check(kStart + kBudget * 2);
      EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
      priority.BeforeSleep();
      EXPECT_EQ(sched_getscheduler(0) & ~SCHED_RESET_ON_FORK, policy);
    });
    if (!why.empty()) GTEST_SKIP() << why;
  }
}

TEST_F(ThreadPriorityTest, WhatIsNotPermittedFallsBackAndSaysWhy) {
  // No kernel has it, with any privilege.
  constexpr uint32_t kNoPriority = 100;
  ThreadPriority priority({Scheduling::kFifo, kNoPriority, kBudget, false});
  std::thread([&] { priority.Raise(kStart); }).join();
  EXPECT_NE(priority.status().scheduling, Scheduling::kFifo);
  EXPECT_THAT(priority.status().why, HasSubstr("fifo 100: "));
  EXPECT_THAT(priority.status().why, HasSubstr("CAP_SYS_NICE"));
}

}  // namespace
}  // namespace netchannel
