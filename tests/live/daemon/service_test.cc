// SPDX-License-Identifier: Apache-2.0
//
// netchanneld as a service manager sees it, and what it keeps of root.
#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "daemon_fixture.h"

namespace netchannel::test {
namespace {

// Field -> value of /proc/PID/status.
std::string StatusField(pid_t process, const std::string& field) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(field + ":\t", 0) == 0) return line.substr(field.size() + 2);
  }
  return "";
}

class ServiceTest : public DaemonTest {
 protected:
  void SetUp() override {
    DaemonTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const std::string path = Path("notify");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    manager_ = UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(bind(manager_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    setsockopt(manager_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
    setenv("WATCHDOG_USEC", "300000", 1);
  }
  void TearDown() override {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    DaemonTest::TearDown();
  }
  std::string Heard() {
    char text[256];
    const ssize_t got = recv(manager_.get(), text, sizeof(text), 0);
    return got > 0 ? std::string(text, static_cast<size_t>(got)) : "";
  }
  bool HeardNothing() {
    char byte;
    return recv(manager_.get(), &byte, 1, MSG_DONTWAIT) < 0;
  }
  void StartOne(const Words& settings = {}) {
    Words words = {std::getenv("NETCHANNEL_DAEMON_BINARY"),
                   "--interface",
                   NamespacePair::kInterface,
                   "--set",
                   "daemon.socket=" + Socket(kA),
                   "--set",
                   "status.status_directory=" + StatusDirectory(kA)};
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    daemons_.emplace_back(StartIn(kA, words));
  }

  UniqueFd manager_;
};

TEST_F(ServiceTest, TellsThatItIsReadyAliveAndStopping) {
  StartOne();
  ASSERT_EQ(Heard(), "READY=1");
  nc_stack* const stack = nc_stack_connect(Socket(kA).c_str());
  EXPECT_NE(stack, nullptr) << "ready, but: " << nc_last_error();
  nc_stack_stop(stack);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Heard(), "WATCHDOG=1");
  daemons_[0].Signal(SIGTERM);
  std::string last;
  while ((last = Heard()) == "WATCHDOG=1") {
  }
  EXPECT_EQ(last, "STOPPING=1");
  EXPECT_EQ(daemons_[0].WaitForExit(), 0);
}

TEST_F(ServiceTest, SaysNothingOfItsHealthWhenNobodyWatches) {
  unsetenv("WATCHDOG_USEC");
  StartOne();
  ASSERT_EQ(Heard(), "READY=1");
  // Longer than three periods of the watchdog's, were it there.
  EXPECT_FALSE(daemons_[0].WaitForExit(Duration::Millis(400)).has_value());
  EXPECT_TRUE(HeardNothing());
}

TEST_F(ServiceTest, KeepsOnlyTheCapabilitiesThatItNeeds) {
  const CommandResult setup = pair_->Setup(kA, "--user nobody");
  ASSERT_EQ(setup.status, 0) << setup.output;
  StartOne({"daemon.user=nobody"});
  ASSERT_TRUE(daemons_[0].WaitForOutput("ready\n")) << daemons_[0].err();
  const pid_t process = daemons_[0].pid();
  // CAP_NET_RAW 13, CAP_IPC_LOCK 14.
  for (const char* field : {"CapEff", "CapPrm"}) {
    EXPECT_EQ(StatusField(process, field), "0000000000006000") << field;
  }
  for (const char* field : {"CapInh", "CapBnd", "CapAmb"}) {
    EXPECT_EQ(StatusField(process, field), "0000000000000000") << field;
  }
  EXPECT_EQ(StatusField(process, "NoNewPrivs"), "1");
  EXPECT_EQ(StatusField(process, "Uid").find("0\t"), std::string::npos);
  EXPECT_EQ(StatusField(process, "Groups").find("0 "), std::string::npos);
  const pid_t guardian = StatusOf(kA)["daemon"].value("guardian_pid", -1);
  EXPECT_EQ(StatusField(guardian, "CapEff"), "0000000000000000");
}

}  // namespace
}  // namespace netchannel::test
