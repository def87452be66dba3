// SPDX-License-Identifier: Apache-2.0
//
// The harness over kernel TCP on loopback and over a stream in memory: what is counted is what was
// sent.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/bench/harness.h"
#include "cli/bench/protocol.h"
#include "cli/bench/report.h"
#include "cli/bench/stop_rule.h"
#include "cli/bench/workloads.h"
#include "cli/endpoint_options.h"

namespace netchannel::cli {
namespace {

// What is sent is kept; what is received was put there before, at most `limit` bytes a call.
class MemoryStream final : public ByteStream {
 public:
  ssize_t Send(absl::Span<const std::byte> data) override {
    const size_t length = std::min(data.size(), limit);
    sent.insert(sent.end(), data.begin(), data.begin() + static_cast<ptrdiff_t>(length));
    ++sends;
    return static_cast<ssize_t>(length);
  }
  ssize_t Receive(absl::Span<std::byte> room) override {
    const size_t length = std::min({room.size(), limit, incoming.size()});
    std::copy_n(incoming.begin(), length, room.begin());
    incoming.erase(incoming.begin(), incoming.begin() + static_cast<ptrdiff_t>(length));
    return static_cast<ssize_t>(length);
  }
  absl::Status FinishSending() override {
    finished = true;
    return absl::OkStatus();
  }

  size_t limit = SIZE_MAX;
  std::deque<std::byte> incoming;
  std::vector<std::byte> sent;
  size_t sends = 0;
  bool finished = false;
};

TEST(Stream, SendsOneSendAMessage) {
  MemoryStream stream;
  const auto progress =
      SendOneWay(stream, {.workload = Workload::kMessages, .size = 64, .count = 100});
  ASSERT_TRUE(progress.ok());
  EXPECT_EQ(progress->bytes, 6400u);
  EXPECT_EQ(stream.sends, 100u);
  EXPECT_TRUE(stream.finished);
}

TEST(Stream, CompletesAMessageThatWasTakenInParts) {
  MemoryStream stream;
  stream.limit = 10;
  ASSERT_TRUE(SendOneWay(stream, {.workload = Workload::kMessages, .size = 64, .count = 2}).ok());
  EXPECT_EQ(stream.sent.size(), 128u);
}

TEST(Stream, CountsWhatArrivesUntilTheEnd) {
  MemoryStream stream;
  stream.incoming.resize(100000);
  const auto progress = ReceiveOneWay(stream, {.workload = Workload::kStream, .size = 4096});
  ASSERT_TRUE(progress.ok());
  EXPECT_EQ(progress->bytes, 100000u);
}

TEST(PingPong, EchoesWholePingsOnly) {
  MemoryStream stream;
  stream.limit = 7;
  stream.incoming.resize(64 * 3 + 5);
  const auto progress = EchoPings(stream, {.workload = Workload::kPingPong, .size = 64});
  ASSERT_TRUE(progress.ok());
  EXPECT_EQ(progress->bytes, 192u);
  EXPECT_EQ(stream.sent.size(), 192u);
}

TEST(StopRule, EndsAfterTheCountWhateverTheStride) {
  StopRule rule({.size = 1, .count = 10}, 64);
  int sends = 0;
  while (rule.Next()) ++sends;
  EXPECT_EQ(sends, 10);
}

TEST(StopRule, EndsAtOnceWhenTheTimeIsOver) {
  StopRule rule({.size = 1, .seconds = 0}, 1);
  EXPECT_FALSE(rule.Next());
}

TEST(BenchProtocol, RefusesASizeThatWouldTakeAllMemory) {
  EXPECT_FALSE(CheckRequest({.size = kMaxSize + 1}).ok());
  EXPECT_TRUE(CheckRequest({.size = kMaxSize}).ok());
}

TEST(BenchProtocol, RefusesAnUnknownWorkload) {
  EXPECT_FALSE(CheckRequest({.workload = static_cast<Workload>(99), .size = 1}).ok());
}

TEST(BenchProtocol, SaysThatTheStreamEndedInsideAValue) {
  MemoryStream stream;
  stream.incoming.resize(sizeof(Request) - 1);
  EXPECT_TRUE(absl::IsOutOfRange(ReceiveValue<Request>(stream).status()));
}

// Another program's word is shorter than ours, and no more will come.
TEST(BenchProtocol, KnowsAnotherProgramByItsFirstWord) {
  MemoryStream stream;
  stream.incoming.resize(sizeof(Request::magic));
  EXPECT_TRUE(absl::IsInvalidArgument(ReceiveGreeting<Request>(stream).status()));
}

TEST(BenchProtocol, GivesWhatTheSameProgramSent) {
  MemoryStream stream;
  ASSERT_TRUE(SendValue(stream, Request{.size = 7, .count = 9}).ok());
  stream.incoming.assign(stream.sent.begin(), stream.sent.end());
  const auto request = ReceiveGreeting<Request>(stream);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->size, 7u);
  EXPECT_EQ(request->count, 9u);
}

TEST(Report, GivesGoodputAtTheReceiver) {
  Result result;
  result.request = {.workload = Workload::kStream, .size = 1000};
  result.server = {.bytes = 1'000'000'000, .nanos = 2'000'000'000};
  const auto json = nlohmann::json::parse(ToJson(result, {}), nullptr, false);
  EXPECT_DOUBLE_EQ(json["goodput_gbps"].get<double>(), 4.0);
  EXPECT_DOUBLE_EQ(json["messages_per_second"].get<double>(), 500'000.0);
}

TEST(Report, GivesPercentilesOfRoundTripsInMicroseconds) {
  Result result;
  result.request = {.workload = Workload::kPingPong, .size = 64};
  for (int i = 0; i < 1000; ++i) result.round_trips.Record(Duration::Micros(i < 995 ? 5 : 100));
  const auto json = nlohmann::json::parse(ToJson(result, {}), nullptr, false);
  EXPECT_NEAR(json["p50_us"].get<double>(), 5.0, 0.05);
  EXPECT_NEAR(json["p999_us"].get<double>(), 100.0, 1.0);
}

}  // namespace
}  // namespace netchannel::cli
