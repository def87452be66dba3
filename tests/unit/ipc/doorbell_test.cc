// SPDX-License-Identifier: Apache-2.0
#include "ipc/doorbell.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace netchannel::ipc {
namespace {

class DoorbellTest : public testing::Test {
 protected:
  Region region_ = *Region::Create({.socket_count = 16, .ring_bytes = 4096});
  DoorbellProducer producer_{region_.view()};
  DoorbellConsumer consumer_{region_.view()};
};

TEST_F(DoorbellTest, EntriesComeInOrder) {
  producer_.Push(3);
  producer_.Push(kDoorbellCall | 7);
  const auto first = consumer_.Pop(), second = consumer_.Pop();
  EXPECT_EQ(first->kind, Doorbell::Kind::kSocket);
  EXPECT_EQ(first->index, 3u);
  EXPECT_EQ(second->kind, Doorbell::Kind::kCall);
  EXPECT_EQ(second->index, 7u);
  EXPECT_FALSE(consumer_.Pop());
}

TEST_F(DoorbellTest, HasEntryTellsWhetherPopGives) {
  EXPECT_FALSE(consumer_.HasEntry());
  producer_.Push(1);
  EXPECT_TRUE(consumer_.HasEntry());
  consumer_.Pop();
  EXPECT_FALSE(consumer_.HasEntry());
}

TEST_F(DoorbellTest, TheRingGoesRound) {
  for (uint32_t i = 0; i < 5000; ++i) {
    producer_.Push(i % 16);
    ASSERT_EQ(consumer_.Pop()->index, i % 16);
  }
}

TEST_F(DoorbellTest, PositionsMayWrap) {
  // As after four billion doorbells.
  const uint32_t start = 0u - 100;
  const uint32_t count = region_.view().layout().doorbell_count;
  DoorbellRing* ring = region_.view().doorbells();
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t position = start + ((i - start) & (count - 1));
    region_.view().doorbell_cells()[i].sequence.store(position);
  }
  ring->tail.store(start);
  // A consumer starts at 0, so these look old to it: nothing is taken for an entry.
  producer_.Push(5);
  EXPECT_FALSE(consumer_.Pop());
}

TEST_F(DoorbellTest, AHoleIsSkippedWhenItStays) {
  region_.view().doorbells()->tail.fetch_add(1);  // by a producer that dies here
  producer_.Push(7);
  EXPECT_FALSE(consumer_.Pop());
  EXPECT_FALSE(consumer_.SkipHole());
  EXPECT_TRUE(consumer_.SkipHole());
  EXPECT_EQ(consumer_.Pop()->index, 7u);
  EXPECT_FALSE(consumer_.SkipHole());
}

TEST_F(DoorbellTest, AProducerBehindASkippedHoleIsHeardInTheNextLap) {
  const uint32_t count = region_.view().layout().doorbell_count;
  region_.view().doorbells()->tail.fetch_add(1);
  consumer_.SkipHole();
  EXPECT_TRUE(consumer_.SkipHole());
  for (uint32_t i = 0; i < 2 * count; ++i) {
    producer_.Push(i % 16);
    ASSERT_EQ(consumer_.Pop()->index, i % 16);
  }
}

TEST_F(DoorbellTest, ValuesOutOfRangeAreABreach) {
  producer_.Push(16);
  producer_.Push(kDoorbellCall | kCalls);
  EXPECT_EQ(consumer_.Pop()->kind, Doorbell::Kind::kBreach);
  EXPECT_EQ(consumer_.Pop()->kind, Doorbell::Kind::kBreach);
}

TEST_F(DoorbellTest, ScribbledPositionsDoNotHurtTheConsumer) {
  region_.view().doorbells()->head.store(0xdeadbeef);
  region_.view().doorbells()->tail.store(0);
  producer_.Push(2);
  EXPECT_EQ(consumer_.Pop()->index, 2u);
  for (uint32_t i = 0; i < region_.view().layout().doorbell_count; ++i) {
    region_.view().doorbell_cells()[i].sequence.store(i * 31);
  }
  for (int i = 0; i < 100; ++i) consumer_.Pop();
}

TEST_F(DoorbellTest, NothingIsLostBetweenManyProducers) {
  // Each producer owns one flag, as a socket's `dirty`: set by it, cleared by the consumer.
  constexpr int kProducers = 4, kRounds = 3000;
  std::vector<std::atomic<uint32_t>> dirty(kProducers);
  std::vector<std::thread> threads;
  for (uint32_t p = 0; p < kProducers; ++p) {
    threads.emplace_back([&, p] {
      for (int i = 0; i < kRounds; ++i) {
        while (dirty[p].exchange(1) != 0) std::this_thread::yield();
        producer_.Push(p);
      }
    });
  }
  std::vector<int> seen(kProducers);
  for (int total = 0; total < kProducers * kRounds;) {
    const auto bell = consumer_.Pop();
    if (!bell) {
      std::this_thread::yield();
      continue;
    }
    ++seen[bell->index];
    ++total;
    dirty[bell->index].store(0);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, std::vector<int>(kProducers, kRounds));
}

}  // namespace
}  // namespace netchannel::ipc
