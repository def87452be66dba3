// SPDX-License-Identifier: Apache-2.0
//
// The simulator itself: its clock, links and faults do what their names say.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "sim/faults.h"
#include "sim/link.h"
#include "sim/packet_headers.h"
#include "sim/pattern.h"
#include "sim/switch.h"
#include "sim/virtual_time.h"

namespace netchannel::sim {
namespace {

struct Sink final : FrameSink {
  explicit Sink(EventQueue* events) : queue(events) {}
  void OnFrame(Frame frame) override {
    arrivals.push_back(queue->now());
    frames.push_back(std::move(frame));
  }
  EventQueue* queue;
  std::vector<Time> arrivals;
  std::vector<Frame> frames;
};

class LinkTest : public testing::Test {
 protected:
  Link& Make(const LinkConfig& config) {
    link_ = std::make_unique<Link>(&events_, &trace_, &pool_, 0, config, 7, &sink_);
    return *link_;
  }
  Frame MakeFrame(size_t size) { return pool_.Copy(std::vector<std::byte>(size)); }
  void Run() {
    while (events_.RunOne(events_.now() + Duration::Seconds(100))) {
    }
  }

  FramePool pool_;
  EventQueue events_;
  Trace trace_;
  Sink sink_{&events_};
  std::unique_ptr<Link> link_;
};

TEST_F(LinkTest, AFrameTakesItsTimeOnTheWireAndThePropagationDelay) {
  Link& link = Make({.rate = Bandwidth::BytesPerSecond(1'000'000), .delay = Duration::Micros(30)});
  const Time start = events_.now();
  link.OnFrame(MakeFrame(1000));
  link.OnFrame(MakeFrame(1000));
  Run();
  ASSERT_EQ(sink_.arrivals.size(), 2u);
  EXPECT_EQ(sink_.arrivals[0] - start, Duration::Micros(1030));
  EXPECT_EQ(sink_.arrivals[1] - start, Duration::Micros(2030));
}

TEST_F(LinkTest, TheQueueDropsItsTail) {
  Link& link = Make({.rate = Bandwidth::BytesPerSecond(1'000'000), .queue_limit = 3000});
  for (int i = 0; i < 5; ++i) link.OnFrame(MakeFrame(1000));
  Run();
  EXPECT_EQ(sink_.frames.size(), 3u);
  EXPECT_EQ(link.stats().queue_drops, 2u);
}

TEST_F(LinkTest, APacketAboveTheMtuIsDropped) {
  Link& link = Make({.mtu = 1500});
  link.OnFrame(MakeFrame(1514));
  link.OnFrame(MakeFrame(1515));
  Run();
  EXPECT_EQ(sink_.frames.size(), 1u);
  EXPECT_EQ(link.stats().mtu_drops, 1u);
}

TEST_F(LinkTest, WhatEntersWhileItIsDownIsLost) {
  Link& link = Make({});
  link.SetDown(events_.now() + Duration::Millis(1));
  link.OnFrame(MakeFrame(100));
  events_.RunOne(events_.now() + Duration::Millis(1));
  link.OnFrame(MakeFrame(100));
  Run();
  EXPECT_EQ(sink_.frames.size(), 1u);
}

TEST_F(LinkTest, EveryFrameComesHome) {
  Make({.faults = {.loss = 0.1,
                   .duplicate = 0.1,
                   .corrupt = 0.1,
                   .reorder = 0.1,
                   .reorder_delay = Duration::Millis(1)}});
  for (int i = 0; i < 100; ++i) link_->OnFrame(MakeFrame(100));
  Run();
  sink_.frames.clear();
  EXPECT_EQ(pool_.outstanding(), 0u);
}

TEST_F(LinkTest, APacketCanLoseItsEnd) {
  Make({.faults = {.truncate = 1}});
  link_->OnFrame(MakeFrame(1000));
  Run();
  ASSERT_EQ(sink_.frames.size(), 1u);
  EXPECT_LT(sink_.frames[0].size(), 1000u);
}

TEST_F(LinkTest, AnOldPacketCanComeOnceMore) {
  Make({.faults = {.replay = 1}});
  for (size_t i = 0; i < 200; ++i) link_->OnFrame(MakeFrame(100 + i));
  Run();
  std::set<size_t> sizes;
  size_t again = 0;
  for (const Frame& frame : sink_.frames) again += !sizes.insert(frame.size()).second ? 1 : 0;
  EXPECT_GT(again, 0u);
}

// An IPv4 header whose checksum is right, in a frame.
std::vector<std::byte> Ipv4Frame(uint8_t tos) {
  std::vector<std::byte> frame(kEthernetSize + 28);
  Write16(absl::MakeSpan(frame), 12, kEtherTypeIpv4);
  frame[kEthernetSize] = std::byte{0x45};
  frame[kEthernetSize + 1] = std::byte{tos};
  frame[kEthernetSize + 9] = std::byte{kProtocolUdp};
  for (size_t i = 12; i < 20; ++i) frame[kEthernetSize + i] = static_cast<std::byte>(17 * i);
  return frame;
}

uint16_t HeaderSum(absl::Span<const std::byte> frame) {
  uint32_t sum = 0;
  for (size_t i = 0; i < 20; i += 2) sum += Read16(frame, kEthernetSize + i);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

TEST(PacketHeaders, MarkingKeepsTheIpv4ChecksumRight) {
  std::vector<std::byte> frame = Ipv4Frame(2);
  Write16(absl::MakeSpan(frame), kEthernetSize + 10, static_cast<uint16_t>(~HeaderSum(frame)));
  ASSERT_EQ(HeaderSum(frame), 0xffff);
  EXPECT_TRUE(MarkCe(absl::MakeSpan(frame)));
  EXPECT_EQ(EcnOf(frame), 3);
  EXPECT_EQ(HeaderSum(frame), 0xffff);
}

TEST(PacketHeaders, APacketThatIsNotEctIsNotMarked) {
  std::vector<std::byte> frame = Ipv4Frame(0);
  EXPECT_FALSE(MarkCe(absl::MakeSpan(frame)));
  EXPECT_EQ(EcnOf(frame), 0);
}

TEST(Faults, TheSameSeedDecidesTheSame) {
  const Faults faults = Faults::FromSeed(3);
  FaultDecider one(faults, 9), other(faults, 9);
  Time now = Time::FromNanos(1);
  for (int i = 0; i < 1000; ++i) {
    now = now + Duration::Micros(10);
    const Fate a = one.Decide(now), b = other.Decide(now);
    ASSERT_EQ(a.deliver, b.deliver);
    ASSERT_EQ(a.copies, b.copies);
    ASSERT_EQ(a.extra_delay, b.extra_delay);
    ASSERT_EQ(a.dice, b.dice);
  }
}

TEST(Faults, LossHasItsProbability) {
  FaultDecider decider({.loss = 0.1}, 1);
  for (int i = 0; i < 10'000; ++i) decider.Decide(Time::FromNanos(i));
  // Ten standard deviations of a binomial distribution are 300.
  EXPECT_NEAR(static_cast<double>(decider.count(FaultKind::kLoss)), 1000, 300);
}

TEST(Faults, BurstsComeInRows) {
  FaultDecider decider({.burst_enter = 0.01, .burst_leave = 0.2, .burst_loss = 1}, 1);
  int lost = 0, rows = 0;
  bool before = false;
  for (int i = 0; i < 20'000; ++i) {
    const bool gone = !decider.Decide(Time::FromNanos(i)).deliver;
    lost += gone;
    rows += gone && !before;
    before = gone;
  }
  ASSERT_GT(rows, 0);
  EXPECT_NEAR(static_cast<double>(lost) / rows, 5, 2);  // 1 / burst_leave
}

TEST(Faults, AnOutageLosesEverythingForItsTime) {
  FaultDecider decider({.flap_every = Duration::Millis(10), .flap_length = Duration::Millis(5)}, 1);
  int lost = 0;
  for (int i = 0; i < 100'000; ++i) lost += !decider.Decide(Time::FromNanos(i * 10'000)).deliver;
  // Down 2.5 ms of every 12.5 ms.
  EXPECT_NEAR(lost, 20'000, 5'000);
}

TEST(Faults, CorruptionChangesTheInternetChecksum) {
  SeededRng rng(5);
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::byte> bytes(64);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.Next());
    uint32_t before = 0, after = 0;
    for (size_t at = 0; at < bytes.size(); at += 2) before += Read16(bytes, at);
    CorruptBytes(absl::MakeSpan(bytes), rng.Next());
    for (size_t at = 0; at < bytes.size(); at += 2) after += Read16(bytes, at);
    ASSERT_NE(before % 0xffff, after % 0xffff);
  }
}

TEST(Pattern, APieceIsTheSameAsTheWhole) {
  const Pattern pattern(11);
  std::vector<std::byte> whole(100), piece(37);
  pattern.Fill(0, absl::MakeSpan(whole));
  pattern.Fill(13, absl::MakeSpan(piece));
  EXPECT_TRUE(std::equal(piece.begin(), piece.end(), whole.begin() + 13));
  EXPECT_TRUE(pattern.Matches(5, absl::MakeSpan(whole).subspan(5, 60)));
  EXPECT_FALSE(pattern.Matches(6, absl::MakeSpan(whole).subspan(5, 60)));
}

struct Sleeper final : Actor {
  Sleeper(EventQueue* events, std::vector<int>* order, int name)
      : Actor(events), log(order), id(name) {}
  void OnWake(Time) override { log->push_back(id); }
  using Actor::WakeAt;
  std::vector<int>* log;
  int id;
};

TEST(EventQueue, ActorsOfOneInstantWakeInTheOrderTheyAsked) {
  EventQueue events;
  std::vector<int> order;
  Sleeper a(&events, &order, 1), b(&events, &order, 2);
  const Time at = events.now() + Duration::Millis(1);
  b.WakeAt(at);
  a.WakeAt(at);
  a.WakeAt(at + Duration::Millis(1));  // later than what it has: nothing changes
  while (events.RunOne(at + Duration::Seconds(1))) {
  }
  EXPECT_EQ(order, (std::vector<int>{2, 1}));
}

TEST(EventQueue, AnEarlierWakeUpReplacesALaterOne) {
  EventQueue events;
  std::vector<int> order;
  Sleeper a(&events, &order, 1);
  const Time start = events.now();
  a.WakeAt(start + Duration::Millis(2));
  a.WakeAt(start + Duration::Millis(1));
  ASSERT_TRUE(events.RunOne(Time::Infinite()));
  EXPECT_EQ(events.now() - start, Duration::Millis(1));
  EXPECT_FALSE(events.RunOne(start + Duration::Seconds(1)));
}

}  // namespace
}  // namespace netchannel::sim
