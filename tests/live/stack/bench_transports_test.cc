// SPDX-License-Identifier: Apache-2.0
// `netchannel bench` over the kernel's TCP, by calls and by an io_uring: what is reported is what
// was asked for, whichever end does it how, and an end that is gone is noticed.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "stack_fixture.h"

namespace netchannel::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Optional;

class BenchTransportsTest : public StackTest {
 protected:
  void SetUp() override {
    StackTest::SetUp();
    if (IsSkipped()) return;
    // Without parameters: EFAULT where rings are allowed.
    if (syscall(SYS_io_uring_setup, 1, nullptr) != 0 && errno != EFAULT) {
      GTEST_SKIP() << "this kernel refuses io_uring: io_uring_setup: " << strerror(errno);
    }
    ASSERT_NO_FATAL_FAILURE(MakeLink(1500));  // and no setup.sh
  }

  static Words Bench(const std::string& workload, const std::string& over, const Words& more) {
    Words words = {std::getenv("NETCHANNEL_BINARY"), "bench", workload, "--over", over};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  static Words Client(Words more) {
    more.insert(more.end(), {"--connect", NamespacePair::Address(kB), "--json"});
    return more;
  }

  // One measurement, the server at b; what the client prints. `both`: flags of both ends.
  Json Measure(const std::string& workload, const std::string& server_over,
               const std::string& client_over, const Words& client, Words both = {}) const {
    Words of_client = Client(client);
    of_client.insert(of_client.end(), both.begin(), both.end());
    both.insert(both.end(), {"--server", "--once"});
    Process server = StartIn(kB, Bench(workload, server_over, both));
    EXPECT_TRUE(server.WaitForOutput("ready\n")) << server.err();
    const Outcome outcome = RunIn(kA, Bench(workload, client_over, of_client));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(server.WaitForExit(), 0) << server.err();
    const Json result = Json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
    EXPECT_TRUE(result.is_object()) << outcome.out;
    return result.is_object() ? result : Json::object();
  }
};

struct Ends {
  const char* name;
  const char* server;
  const char* client;
  bool spin;
};

class BenchEndsTest : public BenchTransportsTest, public testing::WithParamInterface<Ends> {
 protected:
  Json MeasureEnds(const std::string& workload, const Words& client) const {
    return Measure(workload, GetParam().server, GetParam().client, client,
                   GetParam().spin ? Words{"--spin"} : Words{});
  }
};

INSTANTIATE_TEST_SUITE_P(Kernel, BenchEndsTest,
                         testing::Values(Ends{"Uring", "tcp-uring", "tcp-uring", false},
                                         Ends{"UringSpins", "tcp-uring", "tcp-uring", true},
                                         Ends{"UringToCalls", "tcp", "tcp-uring", false},
                                         Ends{"CallsToUring", "tcp-uring", "tcp", false}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(BenchEndsTest, AStreamArrivesWhole) {
  const Json result = MeasureEnds("stream", {"--size", "300001", "--count", "500"});
  EXPECT_EQ(result.value("over", ""), GetParam().client);
  EXPECT_EQ(result.value("bytes", uint64_t{0}), 300001u * 500);
  EXPECT_GT(result.value("goodput_gbps", 0.0), 0.0);
}

TEST_P(BenchEndsTest, EveryMessageArrives) {
  const Json result = MeasureEnds("messages", {"--size", "64", "--count", "100001", "--nodelay"});
  EXPECT_EQ(result.value("bytes", uint64_t{0}), 64u * 100001);
}

TEST_P(BenchEndsTest, RoundTripsOfAnySizeAreCounted) {
  for (const char* size : {"64", "4096", "4097", "100000"}) {
    const Json result = MeasureEnds("pingpong", {"--size", size, "--count", "50"});
    EXPECT_EQ(result.value("count", uint64_t{0}), 50u) << result;
    EXPECT_GT(result.value("p50_us", 0.0), 1.0) << result;
  }
}

TEST_F(BenchTransportsTest, AStreamEndsAfterItsTime) {
  const Json result = Measure("stream", "tcp-uring", "tcp-uring", {"--seconds", "0.3"});
  EXPECT_GT(result.value("bytes", uint64_t{0}), kMiB);
  EXPECT_GE(result.value("client_seconds", 0.0), 0.3);
}

TEST_F(BenchTransportsTest, IdleConnectionsHaveNoRequests) {
  const Outcome outcome = RunIn(kB, Bench("idle", "tcp-uring", {"--server"}));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("--over"));
}

struct Work {
  const char* name;
  const char* workload;
  const char* over;
  Words client;
};

class InterruptedBenchTest : public BenchTransportsTest, public testing::WithParamInterface<Work> {
 protected:
  // A client that would send for a minute has begun.
  void StartBoth() {
    const auto& [name, workload, over, client] = GetParam();
    server_.emplace(StartIn(kB, Bench(workload, over, {"--server", "--once"})));
    ASSERT_TRUE(server_->WaitForOutput("ready\n")) << server_->err();
    Words of_client = Client({"--seconds", "60"});
    of_client.insert(of_client.end(), client.begin(), client.end());
    client_.emplace(StartIn(kA, Bench(workload, over, of_client)));
    ASSERT_TRUE(Eventually(*client_, [&] { return KernelTcpSegments(kA) > 100; }))
        << client_->err();
  }

  std::optional<Process> server_, client_;
};

INSTANTIATE_TEST_SUITE_P(
    Workloads, InterruptedBenchTest,
    testing::Values(Work{"Stream", "stream", "tcp-uring", {}},
                    Work{"Messages", "messages", "tcp-uring", {}},
                    Work{"PingPong", "pingpong", "tcp-uring", {}},
                    // What is not counted would take 7 s and more.
                    Work{"WarmingUp", "pingpong", "tcp", {"--size", "16777216"}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_P(InterruptedBenchTest, CtrlCEndsTheClient) {
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  client_->Signal(SIGINT);
  // 0: between two sends, and the server has reported what has come until then.
  EXPECT_THAT(client_->WaitForExit(Duration::Seconds(5)), AnyOf(Optional(0), Optional(130)))
      << client_->err();
}

TEST_P(InterruptedBenchTest, AServerThatIsKilledIsNoticed) {
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  server_->Signal(SIGKILL);
  EXPECT_EQ(client_->WaitForExit(Duration::Seconds(5)), 1) << client_->err();
  EXPECT_THAT(client_->err(), testing::StartsWith("netchannel: "));
}

}  // namespace
}  // namespace netchannel::test
