// SPDX-License-Identifier: Apache-2.0
// OpenSSH: the server executes itself again with the connection, drops privileges, passes
// descriptors between its processes; the client polls.
#include <filesystem>
#include <fstream>

#include "program_fixture.h"

namespace netchannel::test {
namespace {

constexpr const char* kSshd = "/usr/sbin/sshd";  // it wants to be called by its path

class SshTest : public ProgramTest {
 protected:
  bool Prepare() {
    if (!Installed({kSshd, "ssh", "scp", "ssh-keygen"})) return false;
    // Where its Debian package has it made at boot.
    std::filesystem::create_directories("/run/sshd");
    for (const std::string name : {"host_key", "user_key"}) {
      const CommandResult made = RunCommand("ssh-keygen -q -t ed25519 -N '' -f " + Path(name));
      EXPECT_EQ(made.status, 0) << made.output;
    }
    std::filesystem::permissions(Path("host_key"), std::filesystem::perms::owner_read);
    std::ofstream(Path("sshd_config"))
        << "Port 7005\nListenAddress " << Server() << "\nHostKey " << Path("host_key")
        << "\nAuthorizedKeysFile " << Path("user_key.pub")
        << "\nPermitRootLogin yes\nStrictModes no\nUsePAM no\nPidFile none\nUseDNS no\n"
        << "Subsystem sftp internal-sftp\n";
    return true;
  }
  Process StartSshd() const {
    Process server = StartServer({kSshd, "-D", "-e", "-f", Path("sshd_config")});
    EXPECT_TRUE(server.WaitForError("Server listening")) << server.err();
    return server;
  }
  Words Client(const std::string& program, const std::string& port_flag, const Words& more) const {
    Words argv = {program,
                  "-F",
                  "none",
                  port_flag,
                  "7005",
                  "-i",
                  Path("user_key"),
                  "-o",
                  "StrictHostKeyChecking=no",
                  "-o",
                  "UserKnownHostsFile=/dev/null",
                  "-o",
                  "BatchMode=yes",
                  "-o",
                  "LogLevel=ERROR"};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }
};

TEST_P(SshTest, ACommandRuns) {
  if (!Prepare()) return;
  Process server = StartSshd();
  const Outcome outcome =
      RunClient(Client("ssh", "-p", {"root@" + Server(), "echo from there; seq 100000"}));
  EXPECT_EQ(outcome.out.substr(0, 11), "from there\n") << outcome.err << server.err();
  EXPECT_EQ(outcome.out.substr(outcome.out.size() - 13), "99999\n100000\n");
  ExpectPath();
}

TEST_P(SshTest, FilesAreCopiedBothWays) {
  if (!Prepare()) return;
  Process server = StartSshd();
  const std::string sent = MakeFile("sent", 32 * kMiB);
  RunClient(Client("scp", "-P", {sent, "root@" + Server() + ":" + Path("there")}));
  EXPECT_EQ(Sha256(Path("there")), Sha256(sent)) << server.err();
  RunClient(Client("scp", "-P", {"root@" + Server() + ":" + Path("there"), Path("back")}));
  EXPECT_EQ(Sha256(Path("back")), Sha256(sent)) << server.err();
  ExpectPath();
}

INSTANTIATE_TEST_SUITE_P(On, SshTest, AllPaths(), NameOf);

}  // namespace
}  // namespace netchannel::test
