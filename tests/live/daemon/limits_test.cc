// SPDX-License-Identifier: Apache-2.0
//
// What a user's applications may have, who may connect, and what a refusal says.
#include <gmock/gmock.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "daemon_fixture.h"

namespace netchannel::test {
namespace {

using testing::HasSubstr;

constexpr uid_t kStranger = 1;            // Debian's, on every machine
constexpr gid_t kStrangersGroup = 65534;  // nogroup

using LimitsTest = DaemonTest;

TEST_F(LimitsTest, SocketsOfAUserAreOneSumOverItsApplications) {
  ASSERT_NO_FATAL_FAILURE(StartDaemons({"daemon.user_sockets=3"}));
  nc_stack* const first = Connect(kA);
  nc_stack* const second = Connect(kA);
  nc_socket* const socket = nc_socket_create(first, 0);
  ASSERT_NE(socket, nullptr);
  ASSERT_NE(nc_socket_create(second, 0), nullptr);
  ASSERT_NE(nc_socket_create(second, 0), nullptr);
  EXPECT_EQ(nc_socket_create(first, 0), nullptr);
  EXPECT_EQ(errno, EMFILE);
  EXPECT_EQ(nc_socket_create(second, 0), nullptr);
  // What is given back can be had again, by whichever.
  nc_close(socket);
  EXPECT_TRUE(Eventually(daemons_[kA], [&] { return nc_socket_create(second, 0) != nullptr; }));
  EXPECT_EQ(nc_socket_create(first, 0), nullptr);
}

TEST_F(LimitsTest, TooManyApplicationsOfAUserAreRefusedByTheKeysName) {
  ASSERT_NO_FATAL_FAILURE(StartDaemons({"daemon.user_applications=2"}));
  Connect(kA);
  nc_stack* const second = nc_stack_connect(Socket(kA).c_str());
  ASSERT_NE(second, nullptr) << nc_last_error();
  EXPECT_EQ(nc_stack_connect(Socket(kA).c_str()), nullptr);
  EXPECT_THAT(nc_last_error(), HasSubstr("daemon.user_applications"));
  nc_stack_stop(second);
  nc_stack* third = nullptr;
  EXPECT_TRUE(Eventually(daemons_[kA], [&] {
    third = nc_stack_connect(Socket(kA).c_str());
    return third != nullptr;
  })) << nc_last_error();
  if (third != nullptr) stacks_.push_back(third);
}

// Ten connections that have filled their buffers, one after the other's bytes, closed together.
void UseMuchMemory(nc_stack* from, nc_socket* listener, const sockaddr_in& address) {
  constexpr size_t kBytes = 512 * 1024;
  std::vector<char> bytes(kBytes), read(kBytes);
  std::vector<nc_socket*> all;
  for (int i = 0; i < 10; ++i) {
    nc_socket* const client = nc_socket_create(from, 0);
    ASSERT_NE(client, nullptr) << std::strerror(errno);
    all.push_back(client);
    ASSERT_EQ(nc_connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0)
        << std::strerror(errno);
    nc_socket* const server = nc_accept(listener, nullptr, nullptr, 0);
    ASSERT_NE(server, nullptr) << std::strerror(errno);
    all.push_back(server);
    ASSERT_EQ(nc_send(client, bytes.data(), kBytes, 0), static_cast<ssize_t>(kBytes));
    ASSERT_EQ(nc_recv(server, read.data(), kBytes, MSG_WAITALL), static_cast<ssize_t>(kBytes));
  }
  for (nc_socket* const socket : all) nc_close(socket);
}

TEST_F(LimitsTest, MemoryThatIsKeptForTheNextSocketsDoesNotCountAgainstThem) {
  ASSERT_NO_FATAL_FAILURE(StartDaemons({"daemon.user_memory_mib=16"}));
  const uint64_t before = UsageOf(kA).shared_kib;
  nc_socket* const listener = nc_socket_create(Connect(kB), 0);
  const sockaddr_in address = AddressOf(kB);
  ASSERT_EQ(nc_bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(nc_listen(listener, 8), 0);
  // Each keeps 5 MiB.
  nc_stack* last = nullptr;
  for (int i = 0; i < 4; ++i) {
    last = Connect(kA);
    ASSERT_NO_FATAL_FAILURE(UseMuchMemory(last, listener, address));
  }
  constexpr uint64_t kKib = 4 * 1024;
  EXPECT_TRUE(Eventually(daemons_[kA], [&] { return UsageOf(kA).shared_kib < before + kKib; }));
  EXPECT_TRUE(Eventually(daemons_[kA], [&] { return nc_socket_create(last, 0) != nullptr; }));
}

// What a process of kStranger and `group` hears from the daemon at a: empty, or the refusal.
std::string RefusalOf(const std::string& socket_path, gid_t group) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(30);
    std::string said;
    if (setgroups(0, nullptr) != 0 || setresgid(group, group, group) != 0 ||
        setresuid(kStranger, kStranger, kStranger) != 0) {
      said = "cannot become the user";
    } else if (nc_stack_connect(socket_path.c_str()) == nullptr) {
      said = nc_last_error();
    }
    _exit(write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  close(ends[1]);
  char text[512];
  const ssize_t got = read(ends[0], text, sizeof(text));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return std::string(text, static_cast<size_t>(std::max<ssize_t>(got, 0)));
}

TEST_F(LimitsTest, WithoutAGroupOnlyTheDaemonsOwnMayConnect) {
  ASSERT_NO_FATAL_FAILURE(StartDaemons());
  struct stat info {};
  ASSERT_EQ(stat(Socket(kA).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  EXPECT_EQ(info.st_uid, geteuid());
  EXPECT_EQ(info.st_gid, getegid());
  EXPECT_THAT(RefusalOf(Socket(kA), kStrangersGroup), HasSubstr("not allowed"));
}

TEST_F(LimitsTest, TheGroupThatIsConfiguredMayConnectAndNoOther) {
  ASSERT_NO_FATAL_FAILURE(StartDaemons({"daemon.group=nogroup"}));
  struct stat info {};
  ASSERT_EQ(stat(Socket(kA).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  EXPECT_EQ(info.st_gid, kStrangersGroup);
  EXPECT_EQ(RefusalOf(Socket(kA), kStrangersGroup), "");
  EXPECT_THAT(RefusalOf(Socket(kA), kStranger), HasSubstr("not allowed"));
}

TEST_F(LimitsTest, AGroupThatIsNotThereIsNamed) {
  Process daemon = StartIn(
      kA, {std::getenv("NETCHANNEL_DAEMON_BINARY"), "--interface", NamespacePair::kInterface,
           "--set", "daemon.socket=" + Socket(kA), "--set", "daemon.group=no-such-group"});
  EXPECT_EQ(daemon.WaitForExit(), 1);
  EXPECT_THAT(daemon.err(), HasSubstr("daemon.group"));
  EXPECT_THAT(daemon.err(), HasSubstr("no-such-group"));
}

}  // namespace
}  // namespace netchannel::test
