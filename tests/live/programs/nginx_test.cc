// SPDX-License-Identifier: Apache-2.0
// nginx: a master that binds, workers that inherit the listener and accept from it side by side,
// edge-triggered epoll, sendfile.
#include <filesystem>
#include <fstream>

#include "program_fixture.h"

namespace netchannel::test {
namespace {

class NginxTest : public ProgramTest {
 protected:
  // `listen`: more words of the listen directive.
  Process StartNginx(const std::string& listen) const {
    std::ofstream(Path("nginx.conf"))
        << "daemon off;\nworker_processes 3;\nuser root;\npid " << Path("nginx.pid") << ";\n"
        << "error_log stderr warn;\nevents { worker_connections 512; }\n"
        << "http {\n  access_log off;\n  sendfile on;\n  keepalive_timeout 65;\n"
        << "  client_body_temp_path " << Path("body") << ";\n  proxy_temp_path " << Path("proxy")
        << ";\n  fastcgi_temp_path " << Path("fastcgi") << ";\n  uwsgi_temp_path " << Path("uwsgi")
        << ";\n  scgi_temp_path " << Path("scgi") << ";\n  server { listen " << Server() << ":7008 "
        << listen << "; root " << StatusDirectory(kA) << "; }\n}\n";
    Process server =
        StartServer({"nginx", "-p", StatusDirectory(kA), "-c", Path("nginx.conf"), "-e", "stderr"});
    // It is written once the sockets listen.
    EXPECT_TRUE(Eventually(server, [&] { return std::filesystem::exists(Path("nginx.pid")); }))
        << server.err();
    return server;
  }
  void Download(const std::string& sent, int count) {
    std::filesystem::remove_all(Path("got"));
    std::filesystem::create_directory(Path("got"));
    RunClient({"curl", "-sS", "--fail", "--parallel", "--parallel-max", "20", "-o",
               Path("got") + "/#1",
               "http://" + Server() + ":7008/file?[1-" + std::to_string(count) + "]"});
    const std::string hash = Sha256(sent);
    for (int i = 1; i <= count; ++i) {
      EXPECT_EQ(Sha256(Path("got") + "/" + std::to_string(i)), hash) << i;
    }
  }
};

TEST_P(NginxTest, WorkersShareAListener) {
  if (!Installed({"nginx", "curl"})) return;
  const std::string sent = MakeFile("a/file", 4 * kMiB);
  Process server = StartNginx("");
  Download(sent, 40);
  // New workers take over, the old ones finish: nobody is turned away.
  server.Signal(SIGHUP);
  Download(sent, 40);
  server.Signal(SIGQUIT);
  EXPECT_EQ(server.WaitForExit(), 0) << server.err();
  ExpectPath();
}

TEST_P(NginxTest, WorkersHaveListenersOfTheirOwn) {
  if (!Installed({"nginx", "curl"})) return;
  const std::string sent = MakeFile("a/file", kMiB);
  Process server = StartNginx("reuseport");
  Download(sent, 40);
  ExpectPath();
}

INSTANTIATE_TEST_SUITE_P(On, NginxTest, AllPaths(), NameOf);

}  // namespace
}  // namespace netchannel::test
