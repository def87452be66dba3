// SPDX-License-Identifier: Apache-2.0
// Python's http.server (a language runtime; a thread a connection; sendfile) and curl (poll,
// non-blocking connect).
#include <filesystem>

#include "program_fixture.h"

namespace netchannel::test {
namespace {

class HttpTest : public ProgramTest {
 protected:
  // `queue`: connections that wait to be accepted; the default of http.server is 5, into which the
  // kernel's TCP does not fit 200 at once: it drops some until they give up.
  Process StartHttp(int queue) const {
    const std::string program =
        "import http.server as h; h.ThreadingHTTPServer.request_queue_size = " +
        std::to_string(queue) +
        "; h.test(h.SimpleHTTPRequestHandler, h.ThreadingHTTPServer, port=7003, bind='" + Server() +
        "')";
    // -u: it says that it serves when it does.
    Process server = StartServer(
        {"sh", "-c", "cd " + StatusDirectory(kA) + " && exec python3 -u -c \"" + program + "\""});
    EXPECT_TRUE(server.WaitForOutput("Serving HTTP")) << server.out() << server.err();
    return server;
  }
  static std::string Url(const std::string& file) { return "http://" + Server() + ":7003/" + file; }
};

TEST_P(HttpTest, ALargeFileArrivesIntact) {
  if (!Installed({"python3", "curl"})) return;
  const std::string sent = MakeFile("a/large", 200 * kMiB);
  Process server = StartHttp(5);
  RunClient({"curl", "-sS", "--fail", "-o", Path("large"), Url("large")});
  EXPECT_EQ(Sha256(Path("large")), Sha256(sent));
  ExpectPath();
}

TEST_P(HttpTest, TwoHundredDownloadsAtOnceArriveIntact) {
  if (!Installed({"python3", "curl"})) return;
  const std::string sent = MakeFile("a/small", kMiB);
  Process server = StartHttp(200);
  std::filesystem::create_directory(Path("got"));
  RunClient({"curl", "-sS", "--fail", "--parallel", "--parallel-immediate", "--parallel-max", "200",
             "-o", Path("got") + "/#1", Url("small?[1-200]")});
  size_t arrived = 0;
  const std::string hash = Sha256(sent);
  for (const auto& entry : std::filesystem::directory_iterator(Path("got"))) {
    EXPECT_EQ(Sha256(entry.path().string()), hash) << entry.path();
    ++arrived;
  }
  EXPECT_EQ(arrived, 200u);
  ExpectPath();
}

INSTANTIATE_TEST_SUITE_P(On, HttpTest, AllPaths(), NameOf);

}  // namespace
}  // namespace netchannel::test
