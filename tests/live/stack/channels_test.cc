// SPDX-License-Identifier: Apache-2.0
// Channels come and go under load, and threads of their own send for them; nothing is lost by it.
#include "stack_fixture.h"

namespace netchannel::test {
namespace {

// Short queues, which threads of their own empty: they are full soon, and bytes wait.
const Words kAdaptive = {
    "--set", "scaling.policy=adaptive",         "--set", "scaling.max_channels=4",
    "--set", "threads.channel_threads=4",       "--set", "driver.tx_ring=64",
    "--set", "scheduler.channel_backlog_kib=16"};

using ChannelsTest = StackTest;

TEST_F(ChannelsTest, ThreadsOfTheirOwnSendWhatChannelsHold) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500, 4));
  const Words two = {"--channels", "4", "--set", "threads.channel_threads=2"};
  ASSERT_NO_FATAL_FAILURE(CopyFile(NamespacePair::Address(kB), 16 * kMiB, two, two));
  const Json a = ReadJson(Path("a.json"));
  ASSERT_EQ(a["channel_threads"].size(), 2u) << a["channel_threads"];
  for (const Json& thread : a["channel_threads"]) {
    EXPECT_GT(thread.value("cpu_time_us", 0), 0) << thread;
  }
  int carrying = 0;
  for (const Json& channel : Only(a["sessions"])["channels"]) {
    carrying += channel.value("packets_sent", 0) > 100 ? 1 : 0;
  }
  EXPECT_EQ(carrying, 4) << a["sessions"];
  EXPECT_GT(SumOf(a["lanes"], "tx_kicks"), 0u);
}

// Whether one is opened depends on how busy the machine is; that they are opened when threads are
// busy, and closed again, is shown in the simulator (tests/sim/channels_test.cc).
TEST_F(ChannelsTest, AFileArrivesIntactWhileTheyMayComeAndGo) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500, 4));
  ASSERT_NO_FATAL_FAILURE(CopyFile(NamespacePair::Address(kB), 256 * kMiB, kAdaptive, kAdaptive));
  const Json scaling = ReadJson(Path("a.json"))["channel_scaling"];
  EXPECT_EQ(scaling.value("policy", ""), "adaptive") << scaling;
}

}  // namespace
}  // namespace netchannel::test
