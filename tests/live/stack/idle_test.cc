// SPDX-License-Identifier: Apache-2.0
// What a stack takes while nothing happens. Bounds, not measurements: tests/bench measures.
#include "base/sanitizers.h"
#include "stack_fixture.h"

namespace netchannel::test {
namespace {

class IdleTest : public StackTest {
 protected:
  void SetUp() override {
#if defined(NC_THREAD_SANITIZER) || defined(NC_ADDRESS_SANITIZER)
    GTEST_SKIP() << "a sanitizer's own threads and memory would be measured";
#endif
    StackTest::SetUp();
  }
  // The report of `connections` idle ones for two seconds, on four queues.
  Json Measure(int connections) {
    MakeHosts(1500, 4);
    if (HasFatalFailure()) return Json();
    Process server = Start(kB, {"bench", "idle", "--server", "--once"});
    EXPECT_TRUE(server.WaitForOutput("ready\n")) << server.err();
    const Outcome client = Run(kA, {"bench", "idle"},
                               {"--connect", NamespacePair::Address(kB), "--count",
                                std::to_string(connections), "--seconds", "2", "--json"});
    EXPECT_EQ(client.status, 0) << client.err;
    return Json::parse(client.out, nullptr, /*allow_exceptions=*/false);
  }
};

TEST_F(IdleTest, StackWithFourQueuesTakesUnderOnePercentOfACoreAnd128MiB) {
  const Json report = Measure(1);
  ASSERT_TRUE(report.is_object());
  for (const std::string end : {"client", "server"}) {
    const double seconds = report.value("client_seconds", 0.0);
    EXPECT_GT(seconds, 1.9) << report;
    EXPECT_LT(report.value(end + "_cpu_seconds", 1.0) / seconds, 0.01) << end << report;
    EXPECT_LT(report.value(end + "_resident_bytes", 1e18) / kMiB, 128) << end << report;
  }
}

// 10,000 in 256 MiB: the bound.
TEST_F(IdleTest, ThousandConnectionsTakeUnder26MiB) {
  const Json report = Measure(1000);
  ASSERT_TRUE(report.is_object());
  for (const std::string end : {"client", "server"}) {
    const double more =
        report.value(end + "_resident_bytes", 1e18) - report.value(end + "_resident_at_start", 0.0);
    EXPECT_LT(more / kMiB, 26) << end << report;
  }
}

}  // namespace
}  // namespace netchannel::test
