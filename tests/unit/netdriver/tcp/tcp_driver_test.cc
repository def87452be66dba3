// SPDX-License-Identifier: Apache-2.0
// Whole drivers over the kernel's TCP, on loopback addresses of a network namespace of their own.
#include "netdriver/tcp/tcp_driver.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <vector>

#include "base/interval_set.h"
#include "base/unique_fd.h"
#include "loopback.h"
#include "netdriver/tcp/record.h"

namespace netchannel {
namespace {

constexpr uint16_t kPort = 37000;
constexpr uint64_t kRing = 1024 * 1024;
constexpr StreamId kStream = 2;

Time Now() {
  timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return Time::FromNanos(at.tv_sec * 1'000'000'000 + at.tv_nsec);
}

std::byte PatternAt(StreamOffset offset) {
  return static_cast<std::byte>((offset * 2654435761u) >> 13);
}

wire::IpEndpoint EndpointOf(int host) {
  return {wire::IpAddress::V4(0x7f000000u + static_cast<uint32_t>(host)), kPort};
}

// A driver, one stream out of it, and the streams that come in.
class TestHost final : public ReceiveRings {
 public:
  TestHost(int number, DriverConfig config) : rng_(static_cast<uint64_t>(number)) {
    config.addresses.Set(EndpointOf(number).address);
    config.base_port = kPort;
    auto driver = TcpDriver::Open(config, &streams_, &rng_, Now());
    EXPECT_TRUE(driver.ok()) << driver.status();
    if (driver.ok()) driver_ = *std::move(driver);
    for (StreamOffset i = 0; i < kRing; ++i) out_[i] = PatternAt(i);
  }

  TcpDriver& driver() { return *driver_; }
  void Stop() {
    driver_->Shutdown(Now());
    driver_.reset();
  }
  void Vanish() { driver_.reset(); }

  StreamHandle AddStream(SessionHandle session) {
    const StreamHandle handle = *streams_.Acquire();
    StreamEntry& entry = *streams_.Find(handle);
    entry.session = session;
    entry.id = kStream;
    entry.send = {out_.data(), kRing};
    return handle;
  }

  // All of what the stack does in a round.
  void Round() {
    if (driver_ == nullptr) return;
    const Time now = Now();
    driver_->Poll(now);
    std::vector<Delivery> deliveries;
    while (driver_->ReceiveNext(now, *this, deliveries)) {
      for (const Delivery& delivery : deliveries) Take(delivery);
      deliveries.clear();
    }
    if (now >= driver_->NextTimeout()) driver_->OnTimer(now);
    driver_->PollTransmit(now, 64);
    while (const auto event = driver_->PollEvent()) {
      if (event->kind == DriverEvent::Kind::kAcknowledged) {
        (void)acknowledged.Add(event->segment.offset,
                               event->segment.offset + event->segment.length);
      } else if (event->kind == DriverEvent::Kind::kSessionUp) {
        up = event->session;
      } else if (event->kind == DriverEvent::Kind::kSessionDown) {
        down_error = event->error;
        ++downs;
      } else {
        ++absences;
      }
    }
  }

  std::optional<ReceiveRoom> RoomOf(SessionHandle, StreamId stream) override {
    if (stream != kStream) return std::nullopt;
    const StreamOffset received = intervals.ContiguousEnd(0);
    return ReceiveRoom{{in_.data(), kRing}, received, kRing};
  }
  bool Intact(StreamOffset end) const {
    for (StreamOffset i = 0; i < end; ++i) {
      if (in_[i] != PatternAt(i)) return false;
    }
    return true;
  }

  IntervalSet acknowledged{1000}, intervals{1000};
  SessionHandle up;
  int down_error = -1, downs = 0, absences = 0;

 private:
  void Take(const Delivery& delivery) {
    if (delivery.type != wire::RecordType::kData) return;
    StreamOffset at = delivery.offset;
    for (uint32_t i = 0; i < delivery.payload_count; ++i) {
      const auto part = delivery.payload[i];
      if (part.data() != in_.data() + at)
        std::copy(part.begin(), part.end(), in_.begin() + static_cast<ptrdiff_t>(at));
      at += part.size();
    }
    EXPECT_TRUE(intervals.Add(delivery.offset, at));
  }

  SeededRng rng_;
  StreamTable streams_{8};
  std::vector<std::byte> out_ = std::vector<std::byte>(kRing), in_ = std::vector<std::byte>(kRing);
  std::unique_ptr<TcpDriver> driver_;
};

class TcpDriverTest : public testing::Test {
 protected:
  void SetUp() override {
    static const std::string error = test::EnterLoopbackNetwork();
    if (!error.empty()) GTEST_SKIP() << error;
  }

  TestHost& AddHost(DriverConfig config = {}) {
    const int number = static_cast<int>(hosts_.size()) + 1;
    hosts_.push_back(std::make_unique<TestHost>(number, config));
    return *hosts_.back();
  }
  // Runs all hosts until `holds`, or for ten seconds, which nothing here takes.
  bool RunUntil(const std::function<bool()>& holds) {
    const Time give_up = Now() + Duration::Seconds(10);
    while (!holds()) {
      if (Now() >= give_up) return false;
      for (const auto& host : hosts_) host->Round();
    }
    return true;
  }
  void BringUp(TestHost& from, TestHost& to, int to_number) {
    const auto session = from.driver().Connect(Now(), EndpointOf(to_number));
    ASSERT_TRUE(session.ok()) << session.status();
    ASSERT_TRUE(RunUntil([&] { return from.up.valid() && to.up.valid(); }));
    from.driver().AddReference(from.up);
  }
  // A TCP connection to a host's driver that is no stack.
  UniqueFd Stranger(int to_number) {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(kPort);
    to.sin_addr.s_addr = htonl(EndpointOf(to_number).address.v4());
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    return fd;
  }
  bool IsClosed(const UniqueFd& fd) {
    char byte;
    const ssize_t got = recv(fd.get(), &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
  }

  std::vector<std::unique_ptr<TestHost>> hosts_;
};

TEST_F(TcpDriverTest, ASessionComesUpWithItsChannels) {
  DriverConfig two;
  two.channels_per_class = 2;
  TestHost& a = AddHost(two);
  TestHost& b = AddHost(two);
  ASSERT_NO_FATAL_FAILURE(BringUp(a, b, 2));
  ASSERT_TRUE(RunUntil([&] { return b.driver().Channels(b.up).size() == 4; }));
  ASSERT_TRUE(RunUntil([&] { return a.driver().Channels(a.up).size() == 4; }));
  int latency = 0;
  for (const ChannelInfo& channel : a.driver().Channels(a.up)) {
    latency += channel.app_class == AppClass::kLatency ? 1 : 0;
    EXPECT_GT(channel.capacity, 0u);
  }
  EXPECT_EQ(latency, 2);
  EXPECT_EQ(a.driver().StreamRole(a.up), 0u);
  EXPECT_EQ(b.driver().StreamRole(b.up), 1u);
  EXPECT_EQ(b.driver().PeerOf(b.up), EndpointOf(1));
}

TEST_F(TcpDriverTest, TheSmallerNumberOfChannelsHolds) {
  DriverConfig four;
  four.channels_per_class = 4;
  TestHost& a = AddHost(four);
  TestHost& b = AddHost();
  ASSERT_NO_FATAL_FAILURE(BringUp(a, b, 2));
  ASSERT_TRUE(RunUntil([&] { return a.driver().Channels(a.up).size() == 2; }));
  EXPECT_EQ(a.driver().Status()[0].channels.size(), 2u);
}

TEST_F(TcpDriverTest, BothMayConnectAtOnce) {
  TestHost& a = AddHost();
  TestHost& b = AddHost();
  const auto at_a = a.driver().Connect(Now(), EndpointOf(2));
  const auto at_b = b.driver().Connect(Now(), EndpointOf(1));
  ASSERT_TRUE(at_a.ok() && at_b.ok());
  EXPECT_TRUE(RunUntil([&] { return a.driver().IsUp(*at_a) && b.driver().IsUp(*at_b); }));
}

TEST_F(TcpDriverTest, BytesArriveAndAreAcknowledged) {
  TestHost& a = AddHost();
  TestHost& b = AddHost();
  ASSERT_NO_FATAL_FAILURE(BringUp(a, b, 2));
  const StreamHandle stream = a.AddStream(a.up);
  StreamOffset next = 0;
  ASSERT_TRUE(RunUntil([&] {
    while (next < kRing) {
      const auto channels = a.driver().Channels(a.up);
      const uint8_t channel = channels[(next / 50000) % channels.size()].index;
      const auto length = static_cast<uint32_t>(std::min<StreamOffset>(50000, kRing - next));
      if (!a.driver().Enqueue(Now(), a.up, channel,
                              {.stream = stream, .offset = next, .length = length}))
        break;
      next += length;
    }
    return a.acknowledged.ContainsAll(0, kRing);
  }));
  EXPECT_TRUE(b.intervals.ContainsAll(0, kRing)) << "acknowledged means: the peer's stack has it";
  EXPECT_TRUE(b.Intact(kRing));
}

// Ends one TCP connection of this process from outside of the driver, as a middlebox does.
void KillOneConnectionTo(uint16_t port) {
  for (int fd = 3; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t length = sizeof(peer);
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) != 0) continue;
    if (peer.sin_family != AF_INET || ntohs(peer.sin_port) != port) continue;
    shutdown(fd, SHUT_RDWR);
    return;
  }
  FAIL() << "no connection to kill";
}

TEST_F(TcpDriverTest, AConnectionThatFailsLosesNothing) {
  DriverConfig config;
  config.channel_backlog_limit = kRing;
  TestHost& a = AddHost(config);
  TestHost& b = AddHost(config);
  ASSERT_NO_FATAL_FAILURE(BringUp(a, b, 2));
  ASSERT_TRUE(RunUntil([&] { return a.driver().Channels(a.up).size() == 2; }));
  const StreamHandle stream = a.AddStream(a.up);
  // Half of the bytes over each channel, in pieces that take turns.
  constexpr uint32_t kPiece = 16 * 1024;
  for (StreamOffset at = 0; at < kRing; at += kPiece) {
    const auto channels = a.driver().Channels(a.up);
    const uint8_t channel = channels[(at / kPiece) % 2].index;
    ASSERT_TRUE(a.driver().Enqueue(Now(), a.up, channel,
                                   {.stream = stream, .offset = at, .length = kPiece}));
  }
  a.Round();  // part of it is in the kernel now
  KillOneConnectionTo(kPort);
  ASSERT_TRUE(RunUntil([&] { return a.acknowledged.ContainsAll(0, kRing); }));
  EXPECT_TRUE(b.Intact(kRing));
  EXPECT_TRUE(a.driver().IsUp(a.up));
  EXPECT_EQ(a.downs, 0);
  EXPECT_TRUE(RunUntil([&] { return a.driver().Channels(a.up).size() == 2; }))
      << "its connection is made anew";
}

TEST_F(TcpDriverTest, APeerThatGoesIsNoticed) {
  TestHost& a = AddHost();
  TestHost& b = AddHost();
  ASSERT_NO_FATAL_FAILURE(BringUp(a, b, 2));
  b.Stop();
  ASSERT_TRUE(RunUntil([&] { return a.downs == 1; }));
  EXPECT_EQ(a.down_error, ECONNRESET);
  EXPECT_EQ(a.driver().session_count(), 0u);
}

TEST_F(TcpDriverTest, APeerThatDiesWithoutAWordIsNoticed) {
  TestHost& a = AddHost();
  TestHost& b = AddHost();
  ASSERT_NO_FATAL_FAILURE(BringUp(a, b, 2));
  b.Vanish();
  ASSERT_TRUE(RunUntil([&] { return a.downs == 1; }));
  EXPECT_EQ(a.down_error, ECONNRESET);
}

TEST_F(TcpDriverTest, WhoWaitsGetsAPeerThatStartsLater) {
  TestHost& a = AddHost();
  const auto session = a.driver().Connect(Now(), EndpointOf(2));
  ASSERT_TRUE(session.ok());
  ASSERT_TRUE(RunUntil([&] { return a.absences >= 1; })) << "refused";
  AddHost();
  EXPECT_TRUE(RunUntil([&] { return a.driver().IsUp(*session); }));
  EXPECT_EQ(a.downs, 0);
}

TEST_F(TcpDriverTest, WhoWaitsInVainIsToldWhy) {
  DriverConfig hasty;
  hasty.handshake_timeout = Duration::Millis(50);
  TestHost& a = AddHost(hasty);
  ASSERT_TRUE(a.driver().Connect(Now(), EndpointOf(2)).ok());
  ASSERT_TRUE(RunUntil([&] { return a.downs == 1; }));
  EXPECT_EQ(a.down_error, ECONNREFUSED);
}

TEST_F(TcpDriverTest, WhoProbesIsToldAtOnceAndItIsRemembered) {
  TestHost& a = AddHost();
  ASSERT_TRUE(a.driver().Probe(Now(), EndpointOf(2)).ok());
  ASSERT_TRUE(RunUntil([&] { return a.downs == 1; }));
  EXPECT_EQ(a.down_error, EPROTONOSUPPORT);
  EXPECT_EQ(a.driver().AbsenceOf(Now(), EndpointOf(2)), Absence::kUnreachable);
  EXPECT_TRUE(absl::IsUnimplemented(a.driver().Probe(Now(), EndpointOf(2)).status()));
}

TEST_F(TcpDriverTest, PeersThatCannotBeAreRefused) {
  TestHost& a = AddHost();
  EXPECT_EQ(a.driver().AbsenceOf(Now(), EndpointOf(1)), Absence::kOwnAddress);
  const wire::IpEndpoint v6{*wire::IpAddress::Parse("fd00::1"), kPort};
  EXPECT_EQ(a.driver().AbsenceOf(Now(), v6), Absence::kNoFamily);
  EXPECT_FALSE(a.driver().AbsenceOf(Now(), EndpointOf(2))) << "another loopback address may be one";
  EXPECT_FALSE(a.driver().Connect(Now(), EndpointOf(1)).ok());
}

TEST_F(TcpDriverTest, NetworksAreKeptBothWays) {
  TestHost& a = AddHost();
  DriverConfig closed;
  closed.networks.Add(*IpPrefix::Parse("10.0.0.0/8"));
  TestHost& b = AddHost(closed);
  EXPECT_EQ(b.driver().AbsenceOf(Now(), EndpointOf(1)), Absence::kOutsideNetworks);
  ASSERT_TRUE(a.driver().Connect(Now(), EndpointOf(2)).ok());
  ASSERT_TRUE(RunUntil([&] { return a.downs == 1; }));
  EXPECT_EQ(a.down_error, EPROTONOSUPPORT);
  EXPECT_EQ(a.driver().AbsenceOf(Now(), EndpointOf(2)), Absence::kRejected);
  EXPECT_EQ(b.driver().drops(DropReason::kDenied), 1u);
  EXPECT_EQ(b.driver().session_count(), 0u);
}

TEST_F(TcpDriverTest, TheLimitOfSessionsIsKept) {
  DriverConfig one;
  one.max_sessions = 1;
  TestHost& a = AddHost(one);
  TestHost& b = AddHost();
  TestHost& c = AddHost();
  ASSERT_NO_FATAL_FAILURE(BringUp(b, a, 1));
  ASSERT_TRUE(c.driver().Connect(Now(), EndpointOf(1)).ok());
  ASSERT_TRUE(RunUntil([&] { return c.downs == 1; }));
  EXPECT_EQ(c.down_error, ECONNREFUSED);
  EXPECT_EQ(a.driver().drops(DropReason::kSessionLimit), 1u);
}

TEST_F(TcpDriverTest, AnUnusedSessionIsClosedAtBothEnds) {
  DriverConfig brief;
  brief.idle_timeout = Duration::Millis(20);
  TestHost& a = AddHost(brief);
  TestHost& b = AddHost();
  ASSERT_TRUE(a.driver().Connect(Now(), EndpointOf(2)).ok());
  ASSERT_TRUE(RunUntil([&] { return a.downs == 1 && b.downs == 1; }));
  EXPECT_EQ(a.down_error, 0);
  EXPECT_EQ(b.driver().session_count(), 0u);
}

TEST_F(TcpDriverTest, AUsedSessionIsKeptAliveThoughNothingIsSent) {
  DriverConfig brief;
  brief.idle_timeout = Duration::Millis(100);
  brief.keepalive_interval = Duration::Millis(10);
  TestHost& a = AddHost(brief);
  TestHost& b = AddHost(brief);
  ASSERT_NO_FATAL_FAILURE(BringUp(a, b, 2));
  const Time end = Now() + Duration::Millis(400);
  ASSERT_TRUE(RunUntil([&] { return Now() >= end; }));
  EXPECT_TRUE(a.driver().IsUp(a.up));
  EXPECT_TRUE(b.driver().IsUp(b.up)) << "the peer's reference holds it here, too";
}

TEST_F(TcpDriverTest, APingThatIsAnsweredSaysThatThePeerIsThere) {
  TestHost& a = AddHost();
  TestHost& b = AddHost();
  ASSERT_NO_FATAL_FAILURE(BringUp(a, b, 2));
  for (int i = 0; i < 3; ++i) {  // over one channel, then over the other
    const Time asked = Now();
    a.driver().Ping(asked, a.up);
    EXPECT_TRUE(RunUntil([&] { return *a.driver().LastHeard(a.up) > asked; }));
  }
  EXPECT_FALSE(a.driver().LastHeard(SessionHandle{}));
}

TEST_F(TcpDriverTest, StrangersAreSentAwayAndCounted) {
  TestHost& a = AddHost();
  const UniqueFd http = Stranger(1);
  ASSERT_GT(send(http.get(), "GET / HTTP/1.1\r\nHost: here\r\n\r\n", 30, 0), 0);
  ASSERT_TRUE(RunUntil([&] { return IsClosed(http); }));
  EXPECT_EQ(a.driver().drops(DropReason::kBadHandshake), 1u);
  EXPECT_EQ(a.driver().session_count(), 0u);
}

TEST_F(TcpDriverTest, WhoSaysNothingIsSentAwayInTime) {
  DriverConfig hasty;
  hasty.handshake_timeout = Duration::Millis(30);
  TestHost& a = AddHost(hasty);
  const UniqueFd silent = Stranger(1);
  ASSERT_TRUE(RunUntil([&] { return IsClosed(silent); }));
  EXPECT_EQ(a.driver().drops(DropReason::kBadHandshake), 1u);
}

TEST_F(TcpDriverTest, ATokenThatIsNobodysOpensNothing) {
  TestHost& a = AddHost();
  const UniqueFd guess = Stranger(1);
  std::byte hello[tcp::kGreetingSize];
  tcp::Hello{.channel_count = 2, .channel = 1, .base_port = kPort, .token = 99}.Build(hello);
  ASSERT_GT(send(guess.get(), hello, sizeof(hello), 0), 0);
  ASSERT_TRUE(RunUntil([&] { return a.driver().drops(DropReason::kUnknownToken) == 1; }));
  std::byte answer[tcp::kGreetingSize];
  ASSERT_EQ(recv(guess.get(), answer, sizeof(answer), MSG_WAITALL), ssize_t{sizeof(answer)});
  EXPECT_EQ(tcp::Welcome::Parse(answer)->verdict, tcp::Verdict::kUnknownSession);
}

TEST_F(TcpDriverTest, APeerThatBreaksTheProtocolLosesItsConnection) {
  TestHost& a = AddHost();
  const UniqueFd peer = Stranger(1);
  std::byte hello[tcp::kGreetingSize];
  tcp::Hello{.channel_count = 1, .base_port = kPort}.Build(hello);
  ASSERT_GT(send(peer.get(), hello, sizeof(hello), 0), 0);
  ASSERT_TRUE(RunUntil([&] { return a.up.valid(); }));
  std::byte acknowledgement[tcp::kRecordSize];
  tcp::Record{.type = wire::RecordType::kAck, .position = 1 << 20}.Build(acknowledgement);
  ASSERT_GT(send(peer.get(), acknowledgement, sizeof(acknowledgement), 0), 0);
  ASSERT_TRUE(RunUntil([&] { return a.downs == 1; }));
  EXPECT_EQ(a.down_error, ECONNRESET);
  EXPECT_EQ(a.driver().drops(DropReason::kBadAck), 1u);

  const UniqueFd other = Stranger(1);
  ASSERT_GT(send(other.get(), hello, sizeof(hello), 0), 0);
  ASSERT_GT(send(other.get(), "this is no record, is it?", 24, 0), 0);
  ASSERT_TRUE(RunUntil([&] { return a.downs == 2; }));
  EXPECT_EQ(a.driver().drops(DropReason::kBadRecord), 1u);
}

TEST_F(TcpDriverTest, APortThatIsTakenIsNamed) {
  AddHost();
  StreamTable streams(8);
  SeededRng rng(9);
  DriverConfig config;
  config.addresses.Set(EndpointOf(1).address);
  config.base_port = kPort;
  const auto second = TcpDriver::Open(config, &streams, &rng, Now());
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("127.0.0.1:37000"), std::string::npos)
      << second.status();
  EXPECT_NE(second.status().message().find("host.port"), std::string::npos) << second.status();
}

}  // namespace
}  // namespace netchannel
