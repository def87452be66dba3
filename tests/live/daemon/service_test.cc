// SPDX-License-Identifier: Apache-2.0
//
// netchanneld as a service manager sees it, and what it keeps of root.
#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
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

std::vector<pid_t> ThreadsOf(pid_t process) {
  std::vector<pid_t> threads;
  DIR* const tasks = opendir(("/proc/" + std::to_string(process) + "/task").c_str());
  if (tasks == nullptr) return threads;
  while (const dirent* entry = readdir(tasks)) {
    if (const pid_t thread = std::atoi(entry->d_name); thread > 0) threads.push_back(thread);
  }
  closedir(tasks);
  return threads;
}

// Stops one thread of another process, as a hang would, and none of its others, until it goes.
class StoppedThread {
 public:
  explicit StoppedThread(pid_t thread) : thread_(thread) {
    stopped_ = ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) == 0 &&
               ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0 &&
               waitpid(thread, nullptr, __WALL) == thread;
  }
  ~StoppedThread() { ptrace(PTRACE_DETACH, thread_, nullptr, nullptr); }
  StoppedThread(const StoppedThread&) = delete;
  StoppedThread& operator=(const StoppedThread&) = delete;
  bool stopped() const { return stopped_; }

 private:
  const pid_t thread_;
  bool stopped_;
};

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
    Listen(Duration::Millis(10000));
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
  // How long Heard() waits.
  void Listen(Duration patience) {
    const timeval wait{.tv_sec = patience.micros() / 1'000'000,
                       .tv_usec = patience.micros() % 1'000'000};
    setsockopt(manager_.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
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

// The thread that tells the manager goes on: only the rounds have stopped.
TEST_F(ServiceTest, SaysNoMoreThatItIsAliveWhenItsRoundsStop) {
  StartOne();
  ASSERT_EQ(Heard(), "READY=1");
  ASSERT_EQ(Heard(), "WATCHDOG=1");
  {
    std::deque<StoppedThread> hung;
    for (const pid_t thread : ThreadsOf(daemons_[0].pid())) {
      if (thread != daemons_[0].pid()) hung.emplace_back(thread);
    }
    ASSERT_FALSE(hung.empty());
    for (const StoppedThread& thread : hung) ASSERT_TRUE(thread.stopped());
    // What was on its way, and rounds between the last word and the stop: two at most.
    Listen(Duration::Millis(1000));  // three periods of the watchdog's, ten of the daemon's words
    int late = 0;
    while (Heard() == "WATCHDOG=1") ASSERT_LE(++late, 2);
  }
  Listen(Duration::Millis(10000));
  EXPECT_EQ(Heard(), "WATCHDOG=1") << "its rounds go on again";
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
