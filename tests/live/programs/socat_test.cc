// SPDX-License-Identifier: Apache-2.0
// socat: select, half-close, a fork a connection, a socket as another program's standard input and
// output.
#include "program_fixture.h"

namespace netchannel::test {
namespace {

class SocatTest : public ProgramTest {
 protected:
  Process StartSocat(const Words& more) const {
    Words argv = {"socat", "-d", "-d"};
    argv.insert(argv.end(), more.begin(), more.end());
    Process server = StartServer(argv);
    EXPECT_TRUE(server.WaitForError("listening on")) << server.err();
    return server;
  }
  static std::string Listen(const std::string& options) {
    return "TCP4-LISTEN:7004,reuseaddr,bind=" + Server() + options;
  }
  static std::string Connect() { return "TCP4:" + Server() + ":7004"; }
};

TEST_P(SocatTest, AFileGoesOneWay) {
  if (!Installed({"socat"})) return;
  const std::string sent = MakeFile("sent", 32 * kMiB);
  Process server = StartSocat({"-u", Listen(""), "CREATE:" + Path("received")});
  RunClient({"socat", "-u", "OPEN:" + sent, Connect()});
  EXPECT_EQ(server.WaitForExit(), 0) << server.err();
  EXPECT_EQ(Sha256(Path("received")), Sha256(sent));
  ExpectPath();
}

// The echo comes back after the half-close, too.
TEST_P(SocatTest, ForkedServersEchoThroughAnotherProgram) {
  if (!Installed({"socat"})) return;
  const std::string sent = MakeFile("sent", 4 * kMiB);
  Process server = StartSocat({Listen(",fork"), "EXEC:cat"});
  for (int i = 0; i < 3; ++i) {
    RunClient(
        {"sh", "-c", "exec socat -t 60 - " + Connect() + " < " + sent + " > " + Path("back")});
    EXPECT_EQ(Sha256(Path("back")), Sha256(sent));
  }
  ExpectPath();
}

// The program gets the socket itself, over fork and exec.
TEST_P(SocatTest, AProgramHasTheSocketAsItsInputAndOutput) {
  if (!Installed({"socat"})) return;
  const std::string sent = MakeFile("sent", kMiB);
  Process server = StartSocat({Listen(",fork"), "EXEC:cat,nofork"});
  RunClient({"sh", "-c", "exec socat -t 60 - " + Connect() + " < " + sent + " > " + Path("back")});
  EXPECT_EQ(Sha256(Path("back")), Sha256(sent));
  ExpectPath();
}

INSTANTIATE_TEST_SUITE_P(On, SocatTest, AllPaths(), NameOf);

}  // namespace
}  // namespace netchannel::test
