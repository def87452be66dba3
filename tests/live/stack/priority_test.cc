// SPDX-License-Identifier: Apache-2.0
// The stack's thread gets the priority that the configuration asks for, or says why not.
#include <sched.h>

#include <filesystem>

#include "stack_fixture.h"

namespace netchannel::test {
namespace {

using PriorityTest = StackTest;

int ThreadsWith(pid_t process, int policy) {
  int count = 0;
  const std::string tasks = "/proc/" + std::to_string(process) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    const int found = sched_getscheduler(std::stoi(task.path().filename().string()));
    count += (found & ~SCHED_RESET_ON_FORK) == policy ? 1 : 0;
  }
  return count;
}

TEST_F(PriorityTest, TheStacksThreadAloneIsRealTime) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Process server = Start(kB, {"bench", "stream", "--server"},
                         {"--set", "threads.scheduling=fifo", "--set", "threads.priority=3"});
  ASSERT_TRUE(server.WaitForOutput("ready\n")) << server.err();
  const auto thread = [&] { return StatusOf(kB)["thread"]; };
  // Its thread may not have begun when the program is ready.
  ASSERT_TRUE(Eventually(server, [&] {
    return thread().value("scheduling", "") != "normal" || thread().value("why", "") != "";
  }));
  const Json status = thread();
  if (status.value("scheduling", "") != "fifo") GTEST_SKIP() << status.value("why", "");
  EXPECT_EQ(status.value("priority", 0), 3);
  EXPECT_EQ(status.value("why", "?"), "");
  EXPECT_EQ(ThreadsWith(server.pid(), SCHED_FIFO), 1);
}

TEST_F(PriorityTest, ABusyThreadSpendsItsBudgetAndTheStreamGoesOn) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  const Words busy = {"--set", "threads.scheduling=nice", "--set", "threads.budget_us=1000",
                      "--set", "threads.spin_us=100000",  "--set", "threads.lend=false"};
  Process server = Start(kB, {"bench", "stream", "--server"}, busy);
  ASSERT_TRUE(server.WaitForOutput("ready\n")) << server.err();
  Words client = {"--connect", NamespacePair::Address(kB), "--seconds", "1"};
  client.insert(client.end(), busy.begin(), busy.end());
  const Outcome stream = Run(kA, {"bench", "stream"}, client);
  EXPECT_EQ(stream.status, 0) << stream.err;
  const Json thread = StatusOf(kB)["thread"];
  if (thread.value("scheduling", "") != "nice") GTEST_SKIP() << thread.value("why", "");
  EXPECT_GT(thread.value("budgets_spent", 0), 0) << thread;
}

TEST_F(PriorityTest, AnImpossibleValueIsNamed) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  const Outcome outcome =
      Run(kB, {"bench", "stream", "--server"}, {"--set", "threads.scheduling=batch"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("threads.scheduling: must be one of normal, nice, rr, fifo"),
            std::string::npos)
      << outcome.err;
}

}  // namespace
}  // namespace netchannel::test
