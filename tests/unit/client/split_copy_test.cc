// SPDX-License-Identifier: Apache-2.0
//
// Large sends and receives that copy workers share with the caller.
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>
#include <vector>

#include "client/socket.h"
#include "client_fixture.h"
#include "ipc/fence.h"
#include "sharing_fixture.h"

namespace netchannel {
namespace {

constexpr size_t kRing = 1 << 20;
constexpr uint32_t kThreshold = 64 * 1024;
constexpr size_t kPage = 4096;

FakeStack::Setup WithWorkers(bool help) {
  FakeStack::Setup setup;
  setup.shape = {.socket_count = 64,
                 .ring_bytes = kRing,
                 .copy = {.workers = 3,
                          .policy = 1,
                          .threshold = kThreshold,
                          .worker_backlog = 640 * 1024,
                          .send_in_flight = 768 * 1024,
                          .receive_in_flight = 256 * 1024,
                          .help = help ? 1u : 0u,
                          .checked = 1}};
  return setup;
}

std::vector<char> LongPattern(size_t length) {
  std::vector<char> bytes(length);
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<char>(i * 31 + i / 4093);
  return bytes;
}

class SplitCopyTest : public ClientTest {
 protected:
  void SetUp() override { Start(WithWorkers(false)); }
  const ipc::CopyCounters& Counters(nc_socket* socket) { return socket->home->header->copied; }

  void ExpectThroughWhole(const std::vector<char>& sent, int send_flags = 0) {
    const auto pair = Pair();
    std::thread sender([&] {
      size_t at = 0;
      while (at < sent.size()) {
        const ssize_t step = nc_send(pair.first, sent.data() + at, sent.size() - at, send_flags);
        if (step < 0 && errno == EAGAIN) {
          std::this_thread::yield();
          continue;
        }
        ASSERT_GT(step, 0);
        at += static_cast<size_t>(step);
      }
    });
    std::vector<char> got(sent.size());
    EXPECT_EQ(nc_recv(pair.second, got.data(), got.size(), MSG_WAITALL),
              static_cast<ssize_t>(got.size()));
    sender.join();
    EXPECT_TRUE(got == sent);
    EXPECT_GT(Counters(pair.first).worker_bytes.load(), 0u);
    EXPECT_EQ(Counters(pair.first).faults.load(), 0u);
  }
};

TEST_P(SplitCopyTest, ALongStreamArrivesWholeAndInOrder) {
  ExpectThroughWhole(LongPattern(20000001));
}

TEST_P(SplitCopyTest, ANonBlockingSenderReturnsOnlyWhenItsBytesAreCopied) {
  ExpectThroughWhole(LongPattern(20000001), MSG_DONTWAIT);
}

TEST_P(SplitCopyTest, ACallerThatHelpsKeepsTheOrder) {
  Start(WithWorkers(true));
  ExpectThroughWhole(LongPattern(20000001));
}

TEST_P(SplitCopyTest, AShortCopyIsTheCallers) {
  const auto pair = Pair();
  const std::vector<char> sent = LongPattern(kThreshold - 1);
  EXPECT_EQ(nc_send(pair.first, sent.data(), sent.size(), 0), static_cast<ssize_t>(sent.size()));
  EXPECT_EQ(Receive(pair.second, sent.size()), std::string(sent.begin(), sent.end()));
  EXPECT_EQ(Counters(pair.first).copies.load(), 0u);
}

TEST_P(SplitCopyTest, PartsOfEachSizeAreJoined) {
  const auto pair = Pair();
  std::vector<char> sent = LongPattern(700000);
  const size_t cuts[] = {0, 1, 300001, 300001, 700000};
  iovec parts[4];
  for (int i = 0; i < 4; ++i) parts[i] = {sent.data() + cuts[i], cuts[i + 1] - cuts[i]};
  EXPECT_EQ(nc_sendv(pair.first, parts, 4, 0), 700000);
  EXPECT_EQ(Receive(pair.second, sent.size()), std::string(sent.begin(), sent.end()));
  EXPECT_GT(Counters(pair.first).worker_bytes.load(), 0u);
}

// Of which the end is not there.
class TornBuffer {
 public:
  explicit TornBuffer(size_t there) : size_(there + 64 * kPage) {
    base_ = static_cast<char*>(
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    // Not unmapped: another thread's memory could come to lie there, and would go with ours.
    mprotect(base_ + there, size_ - there, PROT_NONE);
  }
  ~TornBuffer() { munmap(base_, size_); }
  char* data() const { return base_; }
  size_t size() const { return size_; }

 private:
  const size_t size_;
  char* base_;
};

TEST_P(SplitCopyTest, ASendFromABufferThatIsNotThereIsEfault) {
  const auto pair = Pair();
  const TornBuffer torn(0);
  EXPECT_EQ(nc_send(pair.first, torn.data(), torn.size(), 0), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(Send(pair.first, "works"), 5);
  EXPECT_EQ(Receive(pair.second, 5), "works");
}

TEST_P(SplitCopyTest, ASendSaysHowMuchWasThereAndSendsThat) {
  const auto pair = Pair();
  const size_t there = 40 * kPage;
  const TornBuffer torn(there);
  memset(torn.data(), 'y', there);
  EXPECT_EQ(nc_send(pair.first, torn.data(), torn.size(), 0), static_cast<ssize_t>(there));
  EXPECT_EQ(Send(pair.first, "z"), 1);
  EXPECT_EQ(Receive(pair.second, there + 1), std::string(there, 'y') + "z");
}

TEST_P(SplitCopyTest, AReceiveIntoABufferThatIsNotThereLosesNothing) {
  const auto pair = Pair();
  const std::vector<char> sent = LongPattern(512 * 1024);
  EXPECT_EQ(nc_send(pair.first, sent.data(), sent.size(), 0), static_cast<ssize_t>(sent.size()));
  fake().Settle();
  const size_t there = 20 * kPage;
  const TornBuffer torn(there);
  // As much as has arrived, and no more than there is room for.
  const ssize_t got = nc_recv(pair.second, torn.data(), there + 50 * kPage, 0);
  ASSERT_GT(got, 0);
  ASSERT_LE(got, static_cast<ssize_t>(there));
  EXPECT_EQ(memcmp(torn.data(), sent.data(), static_cast<size_t>(got)), 0);
  EXPECT_TRUE(Receive(pair.second, sent.size() - static_cast<size_t>(got)) ==
              std::string(sent.begin() + got, sent.end()));
}

// As the kernel: what was copied before counts, then EFAULT; never a crash, never other bytes.
TEST_P(SplitCopyTest, ABufferThatIsUnmappedWhileItIsCopiedIsEfault) {
  const auto pair = Pair();
  const size_t size = 8 << 20;
  std::atomic<bool> over{false};
  std::atomic<uint64_t> drained{0};
  std::thread reader([&] {
    std::vector<char> got(256 * 1024);
    ssize_t step;
    while ((step = nc_recv(pair.second, got.data(), got.size(), 0)) > 0) {
      for (ssize_t i = 0; i < step; ++i) ASSERT_EQ(got[static_cast<size_t>(i)], 'u');
      drained += static_cast<uint64_t>(step);
    }
    over = true;
  });
  uint64_t sent = 0;
  int faults = 0;
  for (int round = 0; round < 20; ++round) {
    void* const buffer =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(buffer, 'u', size);
    const uint64_t until = drained + static_cast<uint64_t>(round) * 100000;
    std::thread unmapper([&] {
      while (drained < until) std::this_thread::yield();
      // PROT_NONE, so that nothing else is mapped there meanwhile.
      mmap(buffer, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    });
    const ssize_t first = nc_send(pair.first, buffer, size, 0);
    if (first > 0) sent += static_cast<uint64_t>(first);
    EXPECT_TRUE(first > 0 || errno == EFAULT) << errno;
    faults += first != static_cast<ssize_t>(size);
    unmapper.join();
    munmap(buffer, size);
  }
  EXPECT_EQ(nc_shutdown(pair.first, SHUT_WR), 0);
  reader.join();
  EXPECT_TRUE(over);
  EXPECT_EQ(drained.load(), sent);
  EXPECT_GT(faults, 0);
}

TEST_P(SplitCopyTest, SeveralCallsAtOnceEachArriveWhole) {
  const auto one = Pair(), two = Pair();
  const std::vector<char> sent = LongPattern(6000000);
  const auto pass = [&](const std::pair<nc_socket*, nc_socket*>& pair) {
    std::thread sender([&] {
      EXPECT_EQ(nc_send(pair.first, sent.data(), sent.size(), 0),
                static_cast<ssize_t>(sent.size()));
    });
    EXPECT_TRUE(Receive(pair.second, sent.size()) == std::string(sent.begin(), sent.end()));
    sender.join();
  };
  std::thread other([&] { pass(two); });
  pass(one);
  other.join();
}

INSTANTIATE_TEST_SUITE_P(Client, SplitCopyTest, testing::Bool());

class SplitSharingTest : public SharingTest {
 protected:
  void SetUp() override {
    FakeStack::Setup setup = WithWorkers(true);
    setup.daemon = true;
    daemon_ = std::make_unique<FakeStack>(setup);
    stack_ = nc_stack_connect("/fake");
    ASSERT_NE(stack_, nullptr);
  }
};

// The child has no workers of the parent's: it starts its own.
TEST_F(SplitSharingTest, AForkedChildCopiesWithItsOwnWorkers) {
  const auto pair = Pair();
  const std::vector<char> sent = LongPattern(3000000);
  std::thread sender([&] {  // the parent's workers are there and busy when the child is born
    EXPECT_EQ(nc_send(pair.first, sent.data(), sent.size(), 0), static_cast<ssize_t>(sent.size()));
  });
  EXPECT_TRUE(Receive(pair.second, sent.size()) == std::string(sent.begin(), sent.end()));
  sender.join();
  const pid_t child =
      Fork([&] { return nc_send(pair.first, sent.data(), 600000, 0) == 600000 ? 0 : 1; });
  ASSERT_EQ(Wait(child), 0);
  EXPECT_TRUE(Receive(pair.second, 600000) == std::string(sent.begin(), sent.begin() + 600000));
}

// A process that is killed in the middle of a copy: another one that shares the socket goes on
// behind the last byte that was announced, and what arrives is each one's bytes, whole pieces.
TEST_F(SplitSharingTest, AfterTheDeathOfASenderAnotherGoesOn) {
#if defined(NC_THREAD_SANITIZER)
  GTEST_SKIP() << "the thread sanitizer does not see what another process has synchronised with";
#endif
  for (int round = 0; round < 10; ++round) {
    const auto pair = Pair();
    const Signal started;
    const pid_t child = Fork([&] {
      const std::vector<char> bytes(32 << 20, 'c');
      started.Give();
      while (nc_send(pair.first, bytes.data(), bytes.size(), 0) > 0) {
      }
      return 0;
    });
    started.Await();
    std::vector<char> got(200000 + static_cast<size_t>(round) * 10000);
    ASSERT_EQ(nc_recv(pair.second, got.data(), got.size(), MSG_WAITALL),
              static_cast<ssize_t>(got.size()));
    Kill(child);
    std::thread sender([&] {
      const std::vector<char> bytes(3 << 20, 'p');
      EXPECT_EQ(nc_send(pair.first, bytes.data(), bytes.size(), 0), 3 << 20);
      nc_shutdown(pair.first, SHUT_WR);
    });
    std::string rest;
    std::vector<char> block(300000);
    ssize_t step;
    while ((step = nc_recv(pair.second, block.data(), block.size(), 0)) > 0) {
      rest.append(block.data(), static_cast<size_t>(step));
    }
    sender.join();
    EXPECT_EQ(Wait(child), -1);
    const size_t border = rest.find('p');
    ASSERT_NE(border, std::string::npos);
    EXPECT_EQ(rest.find_first_not_of('c'), border);
    EXPECT_EQ(rest.find_first_not_of('p', border), std::string::npos);
    EXPECT_EQ(rest.size() - border, size_t{3} << 20);
  }
}

}  // namespace
}  // namespace netchannel
