// SPDX-License-Identifier: Apache-2.0
// Programs that wait in each of the ways that POSIX and Linux have, written for this test and
// compiled like any other.
#include <sys/resource.h>

#include <cstdlib>
#include <string>
#include <tuple>

#include "program_fixture.h"

namespace netchannel::test {
namespace {

class EchoTest : public ProgramTest {
 protected:
  static std::string Built(const std::string& name) {
    return std::string(std::getenv("NETCHANNEL_PROGRAMS")) + "/" + name;
  }
  void EchoThrough(const std::string& program, const std::string& connections,
                   const std::string& bytes) {
    Process server = StartServer({Built(program), Server(), "7006"});
    ASSERT_TRUE(server.WaitForOutput("ready\n")) << server.err();
    for (int i = 0; i < 2; ++i) {
      const Outcome client =
          RunClient({Built("echo_client"), Server(), "7006", connections, bytes});
      EXPECT_EQ(client.out, connections + " connections, " + bytes + " bytes each, intact\n");
    }
    EXPECT_TRUE(server.running()) << server.err();
    ExpectPath();
  }
};

TEST_P(EchoTest, Select) { EchoThrough("echo_select", "100", "300000"); }

TEST_P(EchoTest, Poll) { EchoThrough("echo_poll", "200", "300000"); }

TEST_P(EchoTest, EdgeTriggeredEpollWithAProcessAConnection) {
  EchoThrough("echo_epoll_fork", "50", "1000000");
}

// In one epoll set at each end, most of them with nothing to tell.
class ManyConnectionsTest : public EchoTest {};

TEST_P(ManyConnectionsTest, TenThousandAreInOneEpollSet) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_max < 16384) GTEST_SKIP() << "needs 16384 open files (ulimit -Hn)";
  files.rlim_cur = files.rlim_max;  // for the programs
  setrlimit(RLIMIT_NOFILE, &files);
  Process server = StartServer({Built("echo_epoll"), Server(), "7006"});
  ASSERT_TRUE(server.WaitForOutput("ready\n")) << server.err();
  const Outcome client = RunClient({Built("many_connections"), Server(), "7006", "10000", "20"});
  EXPECT_EQ(client.out, "10000 connections in one set, 20 rounds\n");
  EXPECT_TRUE(server.running()) << server.err();
  EXPECT_GE(StatusOf(kB)["counters"].value("connects", 0), 10'000);
  ExpectPath();
}

INSTANTIATE_TEST_SUITE_P(On, ManyConnectionsTest, testing::Values(On::kBothEnds), NameOf);
INSTANTIATE_TEST_SUITE_P(On, EchoTest, AllPaths(), NameOf);

}  // namespace
}  // namespace netchannel::test
