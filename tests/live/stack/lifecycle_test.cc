// SPDX-License-Identifier: Apache-2.0
// Starting and stopping, in any order.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>

#include "stack_fixture.h"

namespace netchannel::test {
namespace {

using testing::HasSubstr;
using testing::Not;

using LifecycleTest = StackTest;

// A stack that is up before its peer's goes on asking. It is held while the peer starts, so that it
// does not find the peer's stack before the listener is there.
TEST_F(LifecycleTest, SenderMayStartBeforeTheReceiver) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  const std::string sent = MakeFile("sent", 1 << 20);
  Process sender = Start(kA, {"copy", "send", sent},
                         {"--connect", NamespacePair::Address(kB), "--quiet", "--set",
                          "session.handshake_timeout_ms=20000"});
  ASSERT_TRUE(Eventually(sender, [&] { return StatusOf(kA)["sessions"].size() == 1; }))
      << sender.err();
  EXPECT_EQ(StatusOf(kA)["sessions"][0].value("state", ""), "connecting");
  sender.Signal(SIGSTOP);
  Process receiver = Start(kB, {"copy", "receive", Path("received")}, {"--quiet"});
  ASSERT_TRUE(receiver.WaitForOutput("ready\n")) << receiver.err();
  sender.Signal(SIGCONT);
  EXPECT_EQ(sender.WaitForExit(), 0) << sender.err();
  EXPECT_EQ(receiver.WaitForExit(), 0) << receiver.err();
  EXPECT_EQ(Sha256(sent), Sha256(Path("received")));
}

TEST_F(LifecycleTest, SetupMayBeRepeatedUnderARunningStack) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Process server = Start(kB, {"bench", "stream", "--server", "--once"});
  ASSERT_TRUE(server.WaitForOutput("ready\n")) << server.err();
  const CommandResult again = pair_->Setup(kB);
  EXPECT_EQ(again.status, 0) << again.output;
  const Outcome client =
      Run(kA, {"bench", "stream"}, {"--connect", NamespacePair::Address(kB), "--seconds", "0.1"});
  EXPECT_EQ(client.status, 0) << client.err;
  EXPECT_EQ(server.WaitForExit(), 0) << server.err();
}

TEST_F(LifecycleTest, AfterTeardownTwiceAndSetupAFileCrosses) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  for (int i = 0; i < 2; ++i) {
    const CommandResult down = pair_->Teardown(kB);
    ASSERT_EQ(down.status, 0) << down.output;
  }
  ASSERT_EQ(pair_->Setup(kB).status, 0);
  CopyFile(NamespacePair::Address(kB), 1 << 20);
}

TEST_F(LifecycleTest, TeardownGivesTheLinkBackAndSocketsEnd) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  const Words timeouts = {"--set", "sockets.user_timeout_ms=1000", "--set",
                          "session.keepalive_ms=300"};
  Process server = Start(kB, {"bench", "stream", "--server"}, timeouts);
  ASSERT_TRUE(server.WaitForOutput("ready\n")) << server.err();
  Words more = timeouts;
  more.insert(more.end(), {"--connect", NamespacePair::Address(kB), "--seconds", "60"});
  Process client = Start(kA, {"bench", "stream"}, more);
  ASSERT_TRUE(Eventually(client, [&] {
    const Json status = StatusOf(kB);
    return status.is_object() && status["counters"].value("bytes_received", 0) > 1'000'000;
  })) << client.err();

  const CommandResult down = pair_->Teardown(kB);
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_THAT(pair_->RunIn(kB, "ip link show ncx0").output, Not(HasSubstr("xdp")));
  EXPECT_EQ(client.WaitForExit(), 1);
  EXPECT_THAT(client.err(), HasSubstr("Connection timed out"));
  EXPECT_TRUE(server.WaitForError("Connection timed out")) << server.err();
  EXPECT_THAT(
      RunIn(kA, {"ping", "-c", "3", "-i", "0.2", "-W", "5", NamespacePair::Address(kB)}).out,
      HasSubstr("3 received"));
}

class InterruptTest : public StackTest, public testing::WithParamInterface<int> {};

TEST_P(InterruptTest, EndsAWaitingStackAndLeavesNothing) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Process receiver = Start(kB, {"copy", "receive", Path("received")});
  ASSERT_TRUE(receiver.WaitForOutput("ready\n")) << receiver.err();
  EXPECT_FALSE(std::filesystem::is_empty(StatusDirectory(kB)));
  receiver.Signal(GetParam());
  EXPECT_EQ(receiver.WaitForExit(Duration::Seconds(5)), 130) << receiver.err();
  EXPECT_TRUE(std::filesystem::is_empty(StatusDirectory(kB)));
  CopyFile(NamespacePair::Address(kB), 1 << 20);
}

INSTANTIATE_TEST_SUITE_P(Signals, InterruptTest, testing::Values(SIGINT, SIGTERM),
                         [](const auto& test) {
                           return std::string(test.param == SIGINT ? "Int" : "Term");
                         });

}  // namespace
}  // namespace netchannel::test
