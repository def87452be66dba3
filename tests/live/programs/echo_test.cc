// SPDX-License-Identifier: Apache-2.0
// Programs that wait in each of the ways that POSIX and Linux have, written for this test and
// compiled like any other.
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

INSTANTIATE_TEST_SUITE_P(On, EchoTest, AllPaths(), NameOf);

}  // namespace
}  // namespace netchannel::test
