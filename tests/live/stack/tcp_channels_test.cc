// SPDX-License-Identifier: Apache-2.0
// Channels over the kernel's TCP between two hosts: without a privilege, without a prepared
// interface, and with connections that are cut.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/unique_fd.h"
#include "stack_fixture.h"

namespace netchannel::test {
namespace {

using testing::HasSubstr;

constexpr uint16_t kPort = 37000;  // the default of host.port
const Words kOverTcp = {"--set", "driver.transport=\"tcp\""};
// The user nobody, without groups and capabilities.
const Words kUnprivileged = {"setpriv", "--reuid",        "65534",         "--regid",
                             "65534",   "--clear-groups", "--no-new-privs"};

Words Join(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

class TcpChannelsTest : public StackTest {
 protected:
  // A directory that anybody may write to.
  void OpenDirectory() {
    std::string path = Path("");
    for (const std::string& one : {path, StatusDirectory(kA), StatusDirectory(kB)}) {
      ASSERT_EQ(chmod(one.c_str(), 0777), 0);
    }
  }
};

TEST_F(TcpChannelsTest, AFileCrossesWithoutAPrivilege) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));  // and no setup.sh
  ASSERT_NO_FATAL_FAILURE(OpenDirectory());
  const std::string sent = MakeFile("sent", 16 * kMiB);
  Process receiver = StartIn(
      kB, Join(kUnprivileged,
               Netchannel(kB, {"copy", "receive", Path("received")}, Join(kOverTcp, {"--quiet"}))));
  ASSERT_TRUE(receiver.WaitForOutput("ready\n")) << receiver.err();
  const Outcome sender = RunIn(
      kA, Join(kUnprivileged, Netchannel(kA, {"copy", "send", sent},
                                         Join(kOverTcp, {"--connect", NamespacePair::Address(kB),
                                                         "--quiet", "--status", Path("a.json")}))));
  ASSERT_EQ(sender.status, 0) << sender.err;
  ASSERT_EQ(receiver.WaitForExit(), 0) << receiver.err();
  EXPECT_EQ(Sha256(sent), Sha256(Path("received")));
  EXPECT_GT(KernelTcpSegments(kA), 100u);
  const Json a = ReadJson(Path("a.json"));
  EXPECT_EQ(a["stack"].value("transport", ""), "tcp") << a["stack"];
  for (const char* of_af_xdp : {"device", "steering", "lanes", "verdicts"}) {
    EXPECT_FALSE(a.contains(of_af_xdp)) << "there is no AF_XDP device to tell of: " << of_af_xdp;
  }
}

TEST_F(TcpChannelsTest, WhereAfXdpCannotBeHadAutoTakesTcpAndSaysWhy) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));  // and no setup.sh
  const Words automatic = {"--set", "driver.transport=\"auto\""};
  ASSERT_NO_FATAL_FAILURE(CopyFile(NamespacePair::Address(kB), kMiB, automatic, automatic));
  const Json b = ReadJson(Path("b.json"));
  EXPECT_EQ(b["stack"].value("transport", ""), "tcp") << b["stack"];
  EXPECT_THAT(b["stack"].value("transport_why", ""), HasSubstr("setup.sh")) << b["stack"];
}

TEST_F(TcpChannelsTest, WhereAfXdpIsToBeHadAutoTakesIt) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  const Words automatic = {"--set", "driver.transport=\"auto\""};
  ASSERT_NO_FATAL_FAILURE(CopyFile(NamespacePair::Address(kB), kMiB, automatic, automatic));
  EXPECT_EQ(ReadJson(Path("b.json"))["stack"].value("transport", ""), "xdp");
  EXPECT_EQ(KernelTcpSegments(kB), 0u);
}

TEST_F(TcpChannelsTest, WithoutSetupAfXdpAloneIsAnErrorWithItsCure) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  const Outcome outcome = Run(kA, {"bench", "stream", "--server"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("setup.sh"));
}

// Cuts one connection of `process` to a stack's port, as a middlebox does. False when it has none.
bool CutOneConnection(const Process& process) {
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, process.pid(), 0)));
  std::error_code gone;
  const std::string directory = "/proc/" + std::to_string(process.pid()) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(directory, gone)) {
    const int number = std::atoi(entry.path().filename().c_str());
    const UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.get(), number, 0)));
    sockaddr_in peer{};
    socklen_t length = sizeof(peer);
    if (!fd.valid() || getpeername(fd.get(), reinterpret_cast<sockaddr*>(&peer), &length) != 0) {
      continue;
    }
    if (peer.sin_family != AF_INET || ntohs(peer.sin_port) != kPort) continue;
    return shutdown(fd.get(), SHUT_RDWR) == 0;
  }
  return false;
}

// How many channels of a stack's one session have their connection.
int64_t ConnectedChannels(const Json& status) {
  if (!status.is_object() || status["sessions"].empty()) return 0;
  const Json& channels = status["sessions"][0]["channels"];
  return std::count_if(channels.begin(), channels.end(),
                       [](const Json& one) { return one.value("state", "") != "failed"; });
}

TEST_F(TcpChannelsTest, ConnectionsThatAreCutMidwayLoseNothing) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  const std::string sent = MakeFile("sent", 256 * kMiB);
  const Words several = Join(kOverTcp, {"--channels", "4", "--quiet"});
  Process receiver = Start(kB, {"copy", "receive", Path("received")}, several);
  ASSERT_TRUE(receiver.WaitForOutput("ready\n")) << receiver.err();
  Process sender =
      Start(kA, {"copy", "send", sent}, Join(several, {"--connect", NamespacePair::Address(kB)}));
  // Not before there is another one: a session whose last connection is cut is over.
  ASSERT_TRUE(Eventually(sender, [&] { return ConnectedChannels(StatusOf(kA)) == 8; }))
      << sender.err() << StatusOf(kA);
  int cut = 0;
  EXPECT_TRUE(Eventually(sender, [&] {
    if (cut < 3 && sender.running() && CutOneConnection(sender)) ++cut;
    return !sender.running();
  }));
  EXPECT_GE(cut, 1);
  ASSERT_EQ(sender.WaitForExit(), 0) << sender.err();
  ASSERT_EQ(receiver.WaitForExit(), 0) << receiver.err();
  EXPECT_EQ(Sha256(sent), Sha256(Path("received")));
}

TEST_F(TcpChannelsTest, AKilledPeerIsNoticedAtOnce) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  Process server = Start(kB, {"bench", "stream", "--server"}, kOverTcp);
  ASSERT_TRUE(server.WaitForOutput("ready\n")) << server.err();
  Process client =
      Start(kA, {"bench", "stream"},
            Join(kOverTcp, {"--connect", NamespacePair::Address(kB), "--seconds", "60"}));
  const auto moved = [&] {
    const Json status = StatusOf(kB);
    return status.is_object() ? status["counters"].value("bytes_received", uint64_t{0}) : 0;
  };
  ASSERT_TRUE(Eventually(client, [&] { return moved() > kMiB; })) << client.err();
  server.Signal(SIGKILL);
  const auto status = client.WaitForExit(Duration::Seconds(5));
  ASSERT_TRUE(status.has_value()) << "the kernel at the peer has said it";
  EXPECT_NE(*status, 0);
}

}  // namespace
}  // namespace netchannel::test
