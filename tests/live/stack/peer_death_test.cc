// SPDX-License-Identifier: Apache-2.0
// A peer whose process is killed: whoever waits for it is told within the configured time, and the
// survivor goes on.
#include <gmock/gmock.h>
#include <signal.h>

#include "stack_fixture.h"

namespace netchannel::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

// A peer counts as dead after this, and its memory is returned.
constexpr Duration kUserTimeout = Duration::Millis(1500);
// The thread that notices may be late by its own sleeps and by a loaded machine.
constexpr Duration kSlack = Duration::Seconds(5);

class PeerDeathTest : public StackTest {
 protected:
  Words Timeouts() const {
    return {"--set", "sockets.user_timeout_ms=1500", "--set", "session.keepalive_ms=300",
            "--set", "session.idle_timeout_ms=500"};
  }
  Process StartServer() {
    Process server = Start(kB, {"bench", workload_, "--server"}, Timeouts());
    EXPECT_TRUE(server.WaitForOutput("ready\n")) << server.err();
    return server;
  }
  Process StartClient() {
    Words more = Timeouts();
    more.insert(more.end(), {"--connect", NamespacePair::Address(kB), "--seconds", "60"});
    Process client = Start(kA, {"bench", workload_}, more);
    EXPECT_TRUE(Eventually(client, [&] {
      const Json status = StatusOf(kB);
      return status.is_object() && status["counters"].value("bytes_received", 0) > 10'000;
    })) << client.err();
    return client;
  }
  void ExpectServes() {
    Words more = Timeouts();
    more.insert(more.end(), {"--connect", NamespacePair::Address(kB), "--seconds", "0.1"});
    const Outcome again = Run(kA, {"bench", workload_}, more);
    EXPECT_EQ(again.status, 0) << again.err;
  }

  std::string workload_ = "stream";
};

TEST_F(PeerDeathTest, WriterIsToldOfAKilledReader) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Process server = StartServer();
  Process client = StartClient();
  const Time killed = MonotonicNow();
  server.Signal(SIGKILL);
  EXPECT_EQ(client.WaitForExit(), 1);
  EXPECT_LT(MonotonicNow() - killed, kUserTimeout + kSlack);
  EXPECT_THAT(client.err(), AnyOf(HasSubstr("Connection timed out"), HasSubstr("reset by peer")));
}

// Its kernel answers for the dead, so nobody waits for a timeout.
TEST_F(PeerDeathTest, WriterIsToldAtOnceByThePeersKernel) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Process server = Start(kB, {"bench", "stream", "--server"});
  ASSERT_TRUE(server.WaitForOutput("ready\n")) << server.err();
  Process client =
      Start(kA, {"bench", "stream"}, {"--connect", NamespacePair::Address(kB), "--seconds", "60"});
  ASSERT_TRUE(Eventually(client, [&] {
    const Json status = StatusOf(kB);
    return status.is_object() && status["counters"].value("bytes_received", 0) > 10'000;
  })) << client.err();
  const Time killed = MonotonicNow();
  server.Signal(SIGKILL);
  EXPECT_EQ(client.WaitForExit(), 1);
  EXPECT_LT(MonotonicNow() - killed, Duration::Seconds(10)) << "the user timeout is 20 s";
  EXPECT_THAT(client.err(), HasSubstr("reset by peer"));
}

// One that is started at once, with no memory of the session, answers for the dead one.
TEST_F(PeerDeathTest, WriterIsToldWhenTheReaderIsKilledAndStartedAgain) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Process server = StartServer();
  Process client = StartClient();
  const Time killed = MonotonicNow();
  server.Signal(SIGKILL);
  ASSERT_TRUE(server.WaitForExit().has_value());
  Process again = StartServer();
  EXPECT_EQ(client.WaitForExit(), 1);
  EXPECT_LT(MonotonicNow() - killed, kUserTimeout + kSlack);
  EXPECT_THAT(client.err(), AnyOf(HasSubstr("Connection timed out"), HasSubstr("reset by peer")));
  ExpectServes();
}

class KilledClientTest : public PeerDeathTest, public testing::WithParamInterface<const char*> {};

TEST_P(KilledClientTest, SurvivorForgetsItAndServesTheNext) {
  workload_ = GetParam();
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Process server = StartServer();
  const Json baseline = StatusOf(kB);
  ASSERT_TRUE(baseline.is_object());
  EXPECT_EQ(baseline["sessions"].size(), 0u);
  Process client = StartClient();
  EXPECT_EQ(StatusOf(kB)["sessions"].size(), 1u);

  const Time killed = MonotonicNow();
  client.Signal(SIGKILL);
  ASSERT_TRUE(client.WaitForExit().has_value());
  ASSERT_TRUE(server.WaitForError("\n", kUserTimeout + kSlack)) << "the server waits on";
  EXPECT_LT(MonotonicNow() - killed, kUserTimeout + kSlack);
  EXPECT_THAT(server.err(), AnyOf(HasSubstr("Connection timed out"), HasSubstr("reset by peer")));
  EXPECT_TRUE(Eventually(server, [&] { return StatusOf(kB)["sessions"].empty(); })) << StatusOf(kB);
  EXPECT_EQ(StatusOf(kB)["sockets"].size(), baseline["sockets"].size()) << StatusOf(kB)["sockets"];

  ExpectServes();
  EXPECT_TRUE(server.running()) << server.err();
  EXPECT_TRUE(Eventually(server, [&] { return StatusOf(kB)["sessions"].empty(); })) << StatusOf(kB);
}

INSTANTIATE_TEST_SUITE_P(Workloads, KilledClientTest, testing::Values("stream", "pingpong"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace netchannel::test
