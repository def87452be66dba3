// SPDX-License-Identifier: Apache-2.0
// iperf3: select, socket options, two connections and more of one program.
#include "program_fixture.h"

namespace netchannel::test {
namespace {

class Iperf3Test : public ProgramTest {
 protected:
  // One server a run, as `-1` makes it. Returns iperf3's own report.
  Json Run(const Words& more) const {
    Process server =
        StartServer({"iperf3", "-s", "-1", "-p", "7002", "-B", Server(), "--forceflush"});
    EXPECT_TRUE(server.WaitForOutput("Server listening")) << server.out() << server.err();
    Words argv = {"iperf3", "-c", Server(), "-p", "7002", "-t", "1", "--json"};
    argv.insert(argv.end(), more.begin(), more.end());
    const Outcome client = RunClient(argv);
    EXPECT_EQ(server.WaitForExit(), 0) << server.out() << server.err();
    const Json report = Json::parse(client.out, nullptr, /*allow_exceptions=*/false);
    EXPECT_EQ(report.value("error", ""), "") << client.out;
    return report;
  }
  static uint64_t Bytes(const Json& report, const char* sum) {
    return report.contains("end") ? report["end"][sum].value("bytes", uint64_t{0}) : 0;
  }
};

TEST_P(Iperf3Test, ClientToServer) {
  if (!Installed({"iperf3"})) return;
  const Json report = Run({});
  EXPECT_GT(Bytes(report, "sum_received"), 1'000'000u);
  EXPECT_LE(Bytes(report, "sum_received"), Bytes(report, "sum_sent"));
  ExpectPath();
}

TEST_P(Iperf3Test, ServerToClient) {
  if (!Installed({"iperf3"})) return;
  EXPECT_GT(Bytes(Run({"-R"}), "sum_received"), 1'000'000u);
  ExpectPath();
}

TEST_P(Iperf3Test, BothDirectionsAtOnce) {
  if (!Installed({"iperf3"})) return;
  const Json report = Run({"--bidir"});
  EXPECT_GT(Bytes(report, "sum_received"), 1'000'000u);
  EXPECT_GT(Bytes(report, "sum_received_bidir_reverse"), 1'000'000u);
  ExpectPath();
}

TEST_P(Iperf3Test, EightStreams) {
  if (!Installed({"iperf3"})) return;
  const Json report = Run({"-P", "8"});
  ASSERT_TRUE(report.contains("end"));
  ASSERT_EQ(report["end"]["streams"].size(), 8u);
  for (const Json& stream : report["end"]["streams"]) {
    EXPECT_GT(stream["receiver"].value("bytes", uint64_t{0}), 100'000u) << stream;
  }
  ExpectPath();
}

INSTANTIATE_TEST_SUITE_P(On, Iperf3Test, AllPaths(), NameOf);

}  // namespace
}  // namespace netchannel::test
