// SPDX-License-Identifier: Apache-2.0
//
// The relay does to the kernel's own packets what it is told, so what it does to ours can be
// believed.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <set>
#include <thread>

#include "live/relay/testbed.h"
#include "sim/pattern.h"

namespace netchannel::relay {
namespace {

constexpr uint16_t kPort = 9000;
constexpr uint64_t kDatagrams = 5000;

sockaddr_in AddressOf(const char* text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

int BoundSocket(int type, const char* address) {
  const int fd = socket(AF_INET, type, 0);
  const sockaddr_in name = AddressOf(address);
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
  return fd;
}

struct Arrived {
  std::set<uint64_t> numbers;
  uint64_t duplicates = 0, late = 0, wrong = 0;
};

class RelayTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to make network namespaces";
    auto bed = Testbed::Create(std::getenv("NETCHANNEL_RELAY"));
    ASSERT_TRUE(bed.ok()) << bed.status();
    bed_ = *std::move(bed);
    // Datagrams that wait for an address to be resolved may be dropped by the sender.
    ASSERT_TRUE(bed_->ShellIn('a', std::string("ip neigh replace ") + Testbed::kAddressB +
                                       " lladdr " + Testbed::MacOf('b') +
                                       " dev veth-a nud permanent")
                    .ok());
  }

  // Sends numbered datagrams from a to b; those that came until nothing has for a while.
  Arrived SendDatagrams() {
    int receiver = -1, sender = -1;
    bed_->InHost('b', [&] { receiver = BoundSocket(SOCK_DGRAM, Testbed::kAddressB); });
    bed_->InHost('a', [&] { sender = BoundSocket(SOCK_DGRAM, Testbed::kAddressA); });
    const int room = 32 << 20;  // bytes: the receiver must not lose what the relay does not
    setsockopt(receiver, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    const timeval quiet = {0, 300'000};
    setsockopt(receiver, SOL_SOCKET, SO_RCVTIMEO, &quiet, sizeof(quiet));
    const sockaddr_in to = AddressOf(Testbed::kAddressB);
    EXPECT_EQ(connect(sender, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    Arrived arrived;
    std::thread reader([&] { arrived = Receive(receiver); });
    std::array<uint64_t, 32> words{};
    for (uint64_t i = 0; i < kDatagrams; ++i) {
      words.fill(i);
      EXPECT_EQ(send(sender, words.data(), sizeof(words), 0), static_cast<ssize_t>(sizeof(words)));
      if (i % 50 == 49) std::this_thread::yield();
    }
    reader.join();
    close(sender);
    close(receiver);
    return arrived;
  }

  static Arrived Receive(int fd) {
    Arrived arrived;
    std::array<uint64_t, 32> words{};
    uint64_t highest = 0;
    while (recv(fd, words.data(), sizeof(words), 0) == static_cast<ssize_t>(sizeof(words))) {
      for (const uint64_t word : words) arrived.wrong += word != words[0];
      if (!arrived.numbers.insert(words[0]).second) ++arrived.duplicates;
      arrived.late += words[0] < highest;
      highest = std::max(highest, words[0]);
    }
    return arrived;
  }

  std::unique_ptr<Testbed> bed_;
};

TEST_F(RelayTest, WithoutFaultsEverythingArrives) {
  ASSERT_TRUE(bed_->StartRelay({}).ok());
  const Arrived arrived = SendDatagrams();
  EXPECT_EQ(arrived.numbers.size(), kDatagrams);
  EXPECT_EQ(arrived.duplicates + arrived.late + arrived.wrong, 0u);
}

TEST_F(RelayTest, LosesWhatItCounts) {
  ASSERT_TRUE(bed_->StartRelay({"--loss", "0.1", "--seed", "3"}).ok());
  const Arrived arrived = SendDatagrams();
  const std::string counts = bed_->StopRelay();
  EXPECT_EQ(arrived.numbers.size() + CountOf(counts, 0, "loss"), kDatagrams) << counts;
  EXPECT_GT(CountOf(counts, 0, "loss"), kDatagrams / 20) << counts;
}

TEST_F(RelayTest, DuplicatesAndReorders) {
  ASSERT_TRUE(
      bed_->StartRelay({"--duplicate", "0.05", "--reorder", "0.05", "--reorder-us", "2000"}).ok());
  const Arrived arrived = SendDatagrams();
  const std::string counts = bed_->StopRelay();
  EXPECT_EQ(arrived.numbers.size(), kDatagrams) << counts;
  EXPECT_EQ(arrived.duplicates, CountOf(counts, 0, "duplicate")) << counts;
  EXPECT_GT(arrived.duplicates, 0u) << counts;
  EXPECT_GT(arrived.late, 0u) << counts;
}

// The kernel drops what the checksum finds; all that is flipped must be found.
TEST_F(RelayTest, CorruptsWhatTheChecksumFinds) {
  ASSERT_TRUE(bed_->StartRelay({"--corrupt", "0.1"}).ok());
  const Arrived arrived = SendDatagrams();
  const std::string counts = bed_->StopRelay();
  EXPECT_GT(CountOf(counts, 0, "corrupt"), kDatagrams / 20) << counts;
  EXPECT_EQ(arrived.wrong, 0u) << counts;
  // A flip in the time-to-live or service bits together with nothing else is found by the header's
  // checksum.
  EXPECT_EQ(arrived.numbers.size() + CountOf(counts, 0, "corrupt"), kDatagrams) << counts;
}

TEST_F(RelayTest, KernelTcpGetsItsBytesThroughMixedFaults) {
  ASSERT_TRUE(bed_->StartRelay({"--loss", "0.005", "--duplicate", "0.01", "--corrupt", "0.002",
                                "--reorder", "0.02", "--reorder-us", "500"})
                  .ok());
  constexpr size_t kBytes = 4 << 20;
  const sim::Pattern pattern(1);
  int listener = -1, client = -1;
  bed_->InHost('b', [&] { listener = BoundSocket(SOCK_STREAM, Testbed::kAddressB); });
  ASSERT_EQ(listen(listener, 1), 0);
  bed_->InHost('a', [&] { client = socket(AF_INET, SOCK_STREAM, 0); });
  const timeval patience = {20, 0};
  for (const int fd : {listener, client}) {
    for (const int way : {SO_RCVTIMEO, SO_SNDTIMEO}) {
      setsockopt(fd, SOL_SOCKET, way, &patience, sizeof(patience));
    }
  }
  const sockaddr_in to = AddressOf(Testbed::kAddressB);
  ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  const int server = accept(listener, nullptr, nullptr);
  std::thread writer([&] {
    std::vector<std::byte> bytes(kBytes);
    pattern.Fill(0, absl::MakeSpan(bytes));
    for (size_t at = 0; at < kBytes;) {
      const ssize_t sent = send(client, bytes.data() + at, kBytes - at, MSG_NOSIGNAL);
      if (sent <= 0) break;
      at += static_cast<size_t>(sent);
    }
    shutdown(client, SHUT_WR);
  });
  std::vector<std::byte> received(kBytes);
  const ssize_t count = recv(server, received.data(), kBytes, MSG_WAITALL);
  writer.join();
  for (const int fd : {listener, client, server}) close(fd);
  EXPECT_EQ(count, static_cast<ssize_t>(kBytes));
  EXPECT_TRUE(pattern.Matches(0, received));
  const std::string counts = bed_->StopRelay();
  EXPECT_GT(CountOf(counts, 0, "loss") + CountOf(counts, 0, "corrupt"), 0u) << counts;
}

}  // namespace
}  // namespace netchannel::relay
