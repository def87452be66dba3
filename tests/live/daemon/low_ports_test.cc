// SPDX-License-Identifier: Apache-2.0
//
// Who may bind below port 1024: those whom the kernel would let, by a daemon that is root and by
// one that is not, to which other users' processes do not show everything.
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "daemon_fixture.h"

namespace netchannel::test {
namespace {

// Debian's, on every machine: not the daemon's user.
constexpr uid_t kPlainUser = 1;
constexpr gid_t kGroup = 65534;  // nogroup
constexpr int kNoNamespace = 250;

enum class Caller { kRoot, kUser, kRootOfItsNamespace };

bool WriteFile(const char* path, const std::string& text) {
  const UniqueFd file(open(path, O_WRONLY | O_CLOEXEC));
  return write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// What `unshare -Ur` does: all capabilities, and none that count outside.
bool BecomeRootOfANamespace() {
  return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 && unshare(CLONE_NEWUSER) == 0 &&
         WriteFile("/proc/self/setgroups", "deny") &&
         WriteFile("/proc/self/uid_map", "0 " + std::to_string(kPlainUser) + " 1") &&
         WriteFile("/proc/self/gid_map", "0 " + std::to_string(kGroup) + " 1") && getuid() == 0;
}

bool Become(Caller caller) {
  if (caller == Caller::kRoot) return true;
  const bool is_user = setgroups(0, nullptr) == 0 && setresgid(kGroup, kGroup, kGroup) == 0 &&
                       setresuid(kPlainUser, kPlainUser, kPlainUser) == 0;
  return is_user && (caller == Caller::kUser || BecomeRootOfANamespace());
}

class LowPortsTest : public DaemonTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    DaemonTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const std::string user = GetParam();
    Words settings = {"daemon.group=nogroup"};
    if (user != "root") {
      settings.push_back("daemon.user=" + user);
      for (const int end : {kA, kB}) {
        const CommandResult setup = pair_->Setup(end, "--user " + user);
        ASSERT_EQ(setup.status, 0) << setup.output;
      }
    }
    ASSERT_NO_FATAL_FAILURE(StartDaemons(settings));
  }

  // What a process of the caller's gets from bind: 0 or errno.
  int BindAs(Caller caller, uint16_t port) const {
    const std::string socket_path = Socket(kA);
    const sockaddr_in address = AddressOf(kA, port);
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      alarm(static_cast<unsigned>(kPatience.nanos() / 1'000'000'000));
      if (!Become(caller)) _exit(kNoNamespace);
      nc_stack* const stack = nc_stack_connect(socket_path.c_str());
      if (stack == nullptr) {
        std::fprintf(stderr, "%s\n", nc_last_error());
        _exit(ENOTCONN);
      }
      nc_socket* const socket = nc_socket_create(stack, 0);
      const bool bound =
          socket != nullptr &&
          nc_bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
      _exit(bound ? 0 : errno);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

TEST_P(LowPortsTest, RootMayBindThem) {
  EXPECT_EQ(BindAs(Caller::kRoot, 80), 0);
  EXPECT_EQ(BindAs(Caller::kRoot, 1023), 0);
}

TEST_P(LowPortsTest, AUserMayNot) {
  EXPECT_EQ(BindAs(Caller::kUser, 80), EACCES);
  EXPECT_EQ(BindAs(Caller::kUser, 1023), EACCES);
  EXPECT_EQ(BindAs(Caller::kUser, 1024), 0);
}

TEST_P(LowPortsTest, TheRootOfANamespaceThatAnybodyMakesMayNot) {
  const int high = BindAs(Caller::kRootOfItsNamespace, 1024);
  if (high == kNoNamespace) GTEST_SKIP() << "user namespaces of users' own are switched off here";
  EXPECT_EQ(high, 0);
  EXPECT_EQ(BindAs(Caller::kRootOfItsNamespace, 22), EACCES);
}

TEST_P(LowPortsTest, TheyBeginWhereTheNetworkNamespaceSays) {
  ASSERT_EQ(BindAs(Caller::kUser, 80), EACCES);
  const CommandResult lowered =
      pair_->RunIn(kA, "sh -c 'echo 80 > /proc/sys/net/ipv4/ip_unprivileged_port_start'");
  ASSERT_EQ(lowered.status, 0) << lowered.output;
  EXPECT_TRUE(Eventually(daemons_[kA], [&] { return BindAs(Caller::kUser, 80) == 0; }));
  EXPECT_EQ(BindAs(Caller::kUser, 79), EACCES);
}

INSTANTIATE_TEST_SUITE_P(DaemonOf, LowPortsTest, testing::Values("root", "nobody"),
                         [](const auto& row) { return std::string(row.param); });

}  // namespace
}  // namespace netchannel::test
