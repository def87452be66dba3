// SPDX-License-Identifier: Apache-2.0
//
// Hosts that vanish or restart, and links that fail for a while: everyone is told in time, and all
// memory comes back.
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>

#include "sim/pair.h"

namespace netchannel::sim {
namespace {

// Timers have their granularity, and the last acknowledgement came a little before the host died.
constexpr Duration kSlack = Duration::Millis(500);

class FailureTest : public testing::Test {
 protected:
  FailureTest() {
    PairOptions options = PairOptions::Over(1'000, Duration::Micros(100));
    options.host.ring_bytes = 256 * 1024;
    options.host.user_timeout = kTimeout;
    options.host.idle_timeout = Duration::Seconds(1);
    pair_ = std::make_unique<Pair>(options);
  }

  // One stream each way that does not end.
  void Busy() {
    upload_ = pair_->UploadForEver();
    StreamPlan plan;
    plan.seed = 9;
    plan.to_client = ByteCount{1} << 40;
    pair_->traffic().Open(pair_->client_host(), pair_->server_host(), plan);
    download_ = pair_->traffic().size() - 1;
    pair_->network().RunFor(Duration::Millis(100));
    ASSERT_GT(pair_->Received(upload_), 0u);
    ASSERT_GT(pair_->traffic().client(download_).read(), 0u);
  }
  bool ClientsDone() {
    return pair_->traffic().client(upload_).done() && pair_->traffic().client(download_).done();
  }
  // A client that reads what comes, and after the first bytes nothing does.
  Endpoint& IdleReader(std::optional<KeepaliveTimes> keepalive) {
    StreamPlan plan;
    plan.seed = 20 + pair_->traffic().size();
    plan.to_client = ByteCount{1} << 40;
    plan.server.max_write = 1000;
    plan.server.write_gap = Duration::Seconds(10'000);
    plan.keepalive = keepalive;
    return pair_->traffic().Open(pair_->client_host(), pair_->server_host(), plan);
  }
  uint64_t Frames() { return pair_->there().stats().frames_in + pair_->back().stats().frames_in; }
  // The client's stack holds what it held before the first stream.
  void ExpectClientAtBaseline() {
    const bool home = pair_->network().RunUntil(
        [&] {
          return pair_->client_host().buffers().in_use() == 0 &&
                 pair_->client_host().driver().session_count() == 0;
        },
        Duration::Seconds(30));
    EXPECT_TRUE(home) << pair_->network().Describe();
  }

  static constexpr Duration kTimeout = Duration::Seconds(3);
  std::unique_ptr<Pair> pair_;
  size_t upload_ = 0, download_ = 0;
};

TEST_F(FailureTest, APeerThatVanishesIsReportedToWritersInTime) {
  Busy();
  const Time gone = pair_->network().now();
  pair_->server_host().Kill();
  ASSERT_TRUE(pair_->network().RunUntil([&] { return pair_->traffic().client(upload_).done(); },
                                        kTimeout + kSlack))
      << pair_->network().Describe();
  EXPECT_EQ(pair_->traffic().client(upload_).error(), ETIMEDOUT);
  EXPECT_GE(pair_->traffic().client(upload_).done_at() - gone, kTimeout - kSlack);
}

TEST_F(FailureTest, APeerThatVanishesIsReportedToReadersInTime) {
  Busy();
  pair_->server_host().Kill();
  ASSERT_TRUE(pair_->network().RunUntil([&] { return ClientsDone(); }, kTimeout + kSlack))
      << pair_->network().Describe();
  EXPECT_EQ(pair_->traffic().client(download_).error(), ETIMEDOUT);
}

// A reader has sent nothing that could be missed: only the stack's own keepalive finds out.
TEST_F(FailureTest, APeerThatVanishesIsReportedToALoneReader) {
  StreamPlan plan;
  plan.to_client = ByteCount{1} << 40;
  Endpoint& reader = pair_->traffic().Open(pair_->client_host(), pair_->server_host(), plan);
  pair_->network().RunFor(Duration::Millis(100));
  ASSERT_GT(reader.read(), 0u);
  pair_->server_host().Kill();
  const Duration keepalive = DriverConfig().keepalive_interval;
  ASSERT_TRUE(
      pair_->network().RunUntil([&] { return reader.done(); }, keepalive + kTimeout + kSlack))
      << pair_->network().Describe();
  EXPECT_EQ(reader.error(), ETIMEDOUT);
}

constexpr KeepaliveTimes kKeepalive = {
    .idle = Duration::Seconds(1), .interval = Duration::Millis(250), .count = 4};

TEST_F(FailureTest, AReaderWithKeepaliveIsToldInItsTimeAndOneWithoutInTheSessions) {
  const Endpoint& eager = IdleReader(kKeepalive);
  const Endpoint& plain = IdleReader(std::nullopt);
  pair_->network().RunFor(Duration::Millis(500));
  ASSERT_GT(eager.read(), 0u);
  ASSERT_GT(plain.read(), 0u);
  const Time gone = pair_->network().now();
  pair_->server_host().Kill();
  ASSERT_TRUE(pair_->network().RunUntil([&] { return eager.done(); }, Duration::Seconds(3)))
      << pair_->network().Describe();
  EXPECT_EQ(eager.error(), ETIMEDOUT);
  const Duration own = kKeepalive.idle + kKeepalive.interval * kKeepalive.count;
  EXPECT_GE(eager.done_at() - gone, own - Duration::Millis(500)) << "heard before it went";
  EXPECT_LE(eager.done_at() - gone, own);
  EXPECT_FALSE(plain.done());
  ASSERT_TRUE(pair_->network().RunUntil([&] { return plain.done(); }, kTimeout + kSlack));
  EXPECT_EQ(plain.error(), ETIMEDOUT);
  EXPECT_GE(plain.done_at() - gone, kTimeout);
}

TEST_F(FailureTest, AReaderWithKeepaliveIsLeftInPeaceByAPeerThatIsThere) {
  const Endpoint& eager = IdleReader(kKeepalive);
  pair_->network().RunFor(Duration::Seconds(60));
  EXPECT_FALSE(eager.done());
  EXPECT_EQ(eager.error(), 0);
}

TEST_F(FailureTest, AnOutageShorterThanItsKeepaliveDoesNotEndAReader) {
  const Endpoint& eager = IdleReader(kKeepalive);
  pair_->network().RunFor(Duration::Millis(500));
  const Time back = pair_->network().now() + Duration::Millis(1400);
  pair_->there().SetDown(back);
  pair_->back().SetDown(back);
  pair_->network().RunFor(Duration::Seconds(10));
  EXPECT_FALSE(eager.done()) << pair_->network().Describe();
}

TEST_F(FailureTest, IdleConnectionsCostNothingUnlessSomebodyWantsKeepalive) {
  IdleReader(std::nullopt);
  pair_->network().RunFor(Duration::Millis(500));
  const uint64_t before = Frames();
  pair_->network().RunFor(Duration::Seconds(5));
  EXPECT_EQ(Frames() - before, 0u);
  IdleReader(kKeepalive);
  pair_->network().RunFor(Duration::Millis(500));
  const uint64_t asked = Frames();
  pair_->network().RunFor(Duration::Seconds(5));
  EXPECT_GE(Frames() - asked, 4u * 2) << "a question and its answer a second";
  EXPECT_LE(Frames() - asked, 6u * 2);
}

TEST_F(FailureTest, MemoryReturnsToItsBaselineAfterAPeerVanished) {
  Busy();
  pair_->server_host().Kill();
  ASSERT_TRUE(pair_->network().RunUntil([&] { return ClientsDone(); }, kTimeout * 3));
  ExpectClientAtBaseline();
}

TEST_F(FailureTest, APeerThatRestartedResetsItsStreams) {
  Busy();
  pair_->server_host().Start();
  // At once, not after a timeout: the new stack says that it does not know the old one's channels.
  ASSERT_TRUE(pair_->network().RunUntil([&] { return ClientsDone(); }, Duration::Millis(500)))
      << pair_->network().Describe();
  EXPECT_EQ(pair_->traffic().client(upload_).error(), ECONNRESET);
  EXPECT_EQ(pair_->traffic().client(download_).error(), ECONNRESET);
  ExpectClientAtBaseline();
}

TEST_F(FailureTest, APeerThatRestartedTakesNewStreams) {
  Busy();
  pair_->server_host().Start();
  ASSERT_TRUE(pair_->network().RunUntil([&] { return ClientsDone(); }, Duration::Seconds(1)));
  Traffic again(&pair_->network());
  again.Serve(pair_->server_host());
  StreamPlan plan;
  plan.seed = 77;
  plan.to_server = plan.to_client = 300'000;
  again.Open(pair_->client_host(), pair_->server_host(), plan);
  EXPECT_TRUE(pair_->network().RunUntil([&] { return again.Done(); }, Duration::Seconds(5)));
  EXPECT_TRUE(again.Judge().empty()) << again.DescribeUnfinished();
}

// The client's stack finds out by the very stream that it opens.
TEST_F(FailureTest, AConnectAfterAnIdlePeerRestartedSucceeds) {
  pair_->Upload(1000);
  ASSERT_TRUE(
      pair_->network().RunUntil([&] { return pair_->traffic().Done(); }, Duration::Millis(500)));
  pair_->server_host().Start();
  pair_->traffic().Serve(pair_->server_host());
  const size_t stream = pair_->Upload(100'000);
  EXPECT_TRUE(
      pair_->network().RunUntil([&] { return pair_->traffic().Done(); }, Duration::Seconds(1)))
      << pair_->network().Describe();
  EXPECT_EQ(pair_->traffic().client(stream).error(), 0);
  EXPECT_EQ(pair_->Received(stream), 100'000u);
}

TEST_F(FailureTest, ATransferOutlivesAnOutageOfTwoSeconds) {
  const size_t stream = pair_->Upload(20'000'000);
  pair_->network().RunFor(Duration::Millis(50));
  ASSERT_FALSE(pair_->traffic().client(stream).done());
  const Time back = pair_->network().now() + Duration::Seconds(2);
  pair_->there().SetDown(back);
  pair_->back().SetDown(back);
  ASSERT_TRUE(
      pair_->network().RunUntil([&] { return pair_->traffic().Done(); }, Duration::Seconds(10)))
      << pair_->network().Describe();
  pair_->ExpectLawful();
}

// After the outage the next probe is at most as far away as the outage was long (RFC 9002
// section 6.2: the timeout doubles), and then the window opens as in slow start.
TEST_F(FailureTest, AfterAnOutageGoodputIsBackWithinItsLength) {
  const size_t stream = pair_->UploadForEver();
  pair_->network().RunFor(Duration::Millis(100));
  const Duration outage = Duration::Millis(500);
  pair_->there().SetDown(pair_->network().now() + outage);
  pair_->back().SetDown(pair_->network().now() + outage);
  pair_->network().RunFor(outage * 2 + Duration::Millis(200));
  EXPECT_GE(pair_->Goodput(stream, Duration::Millis(300)), 0.9 * pair_->PayloadCapacity())
      << pair_->network().Describe();
}

TEST_F(FailureTest, ConnectingToAHostThatIsOffTimesOut) {
  pair_->server_host().Kill();
  const size_t stream = pair_->Upload(1000);
  ASSERT_TRUE(pair_->network().RunUntil([&] { return pair_->traffic().client(stream).done(); },
                                        Duration::Seconds(21)))
      << pair_->network().Describe();
  EXPECT_EQ(pair_->traffic().client(stream).error(), ETIMEDOUT);
  ExpectClientAtBaseline();
}

TEST_F(FailureTest, ConnectingToAPortWithoutAListenerIsRefused) {
  StreamPlan plan;
  plan.to_server = 1000;
  Endpoint client(&pair_->network().events(), &pair_->client_host(), plan,
                  {pair_->server_host().address(), 81});
  ASSERT_TRUE(pair_->network().RunUntil([&] { return client.done(); }, Duration::Millis(100)));
  EXPECT_EQ(client.error(), ECONNREFUSED);
}

TEST_F(FailureTest, AnIdleSessionIsClosedAndForgotten) {
  pair_->Upload(1000);
  ASSERT_TRUE(
      pair_->network().RunUntil([&] { return pair_->traffic().Done(); }, Duration::Seconds(1)));
  ExpectClientAtBaseline();
  pair_->ExpectLawful();
}

}  // namespace
}  // namespace netchannel::sim
