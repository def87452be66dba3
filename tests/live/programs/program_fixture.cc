// SPDX-License-Identifier: Apache-2.0
#include "program_fixture.h"

#include <cstdlib>

namespace netchannel::test {

std::string NameOf(const testing::TestParamInfo<On>& info) {
  switch (info.param) {
    case On::kBothEnds:
      return "BothEnds";
    case On::kClientOnly:
      return "ClientOnly";
    case On::kServerOnly:
      return "ServerOnly";
  }
  return "Unknown";
}

bool ProgramTest::Installed(const Words& programs) {
  for (const std::string& program : programs) {
    if (RunCommand("command -v " + program).status == 0) continue;
    [&] { GTEST_SKIP() << program << " is not installed; scripts/test.sh installs it"; }();
    return false;
  }
  return true;
}

void ProgramTest::SetUp() {
  ASSERT_NO_FATAL_FAILURE(StackTest::SetUp());
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  for (const int end : {kA, kB}) {
    if (!HasNetChannel(end)) continue;
    ASSERT_NO_FATAL_FAILURE(StartDaemon(end));
  }
}

void ProgramTest::StartDaemon(int end) {
  const CommandResult result = pair_->Setup(end);
  ASSERT_EQ(result.status, 0) << result.output;
  Words argv = {std::getenv("NETCHANNEL_DAEMON_BINARY"), "--interface", NamespacePair::kInterface};
  Words settings = daemon_settings_;
  settings.push_back("status.status_directory=" + StatusDirectory(end));
  settings.push_back("daemon.socket=" + DaemonSocket(end));
  for (const std::string& setting : settings) argv.insert(argv.end(), {"--set", setting});
  auto& daemon = daemons_[static_cast<size_t>(end)];
  daemon = std::make_unique<Process>(Space(end), argv);
  ASSERT_TRUE(daemon->WaitForOutput("ready\n")) << daemon->err();
}

void ProgramTest::KillDaemon(int end) { daemons_[static_cast<size_t>(end)].reset(); }

void ProgramTest::TearDown() {
  for (const int end : {kA, kB}) {
    auto& daemon = daemons_[static_cast<size_t>(end)];
    if (daemon != nullptr) {
      EXPECT_TRUE(daemon->running()) << "the daemon died: " << daemon->err();
      daemon.reset();
    }
    if (pair_) KillStragglers(end);
  }
  StackTest::TearDown();
}

void ProgramTest::KillStragglers(int end) const {
  RunCommand("ip netns pids " + pair_->name(end) + " | xargs -r kill -9");
}

Words ProgramTest::AsOn(int end, const Words& argv) const {
  if (!HasNetChannel(end)) return argv;
  Words words = {"env", "NETCHANNEL_DAEMON=" + DaemonSocket(end), std::getenv("NETCHANNEL_BINARY"),
                 "run"};
  if (strict_ && GetParam() == On::kBothEnds) words.push_back("--strict");
  words.push_back("--");
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

Process ProgramTest::StartRedis() const {
  Process server =
      StartServer({"redis-server", "--port", "7001", "--bind", Server(), "--protected-mode", "no",
                   "--save", "", "--dir", StatusDirectory(kA)});
  EXPECT_TRUE(server.WaitForOutput("Ready to accept connections")) << server.out() << server.err();
  return server;
}

Outcome ProgramTest::RunClient(const Words& argv, Duration bound) const {
  Process process = StartClient(argv);
  const std::optional<int> status = process.WaitForExit(bound);
  const Outcome outcome{status.value_or(-1), process.out(), process.err()};
  EXPECT_EQ(outcome.status, 0) << argv[0] << (status ? " failed: " : " does not end: ")
                               << outcome.err << outcome.out;
  return outcome;
}

void ProgramTest::ExpectPath() {
  const uint64_t segments = KernelTcpSegments(kA);
  if (GetParam() == On::kBothEnds) {
    EXPECT_EQ(segments, 0u) << "of the kernel's TCP";
    EXPECT_GT(StatusOf(kB)["counters"].value("connects", 0), 0);
    return;
  }
  EXPECT_GT(segments, 0u) << "of the kernel's TCP";
  if (GetParam() == On::kServerOnly) return;
  const Json status = StatusOf(kB);
  EXPECT_EQ(status["counters"].value("connects", -1), 0);
  EXPECT_GT(status["fallback_counts"].value("icmp-unreachable", 0), 0) << status["fallbacks"];
}

}  // namespace netchannel::test
