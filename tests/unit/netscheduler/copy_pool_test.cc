// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/copy/copy_pool.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <thread>

#include "netscheduler/copy/copy_pipeline.h"

namespace netchannel {
namespace {

constexpr uint32_t kPiece = 4096;

// Queues whose workers the test plays itself.
class CopyQueuesTest : public testing::Test {
 protected:
  CopyPiece Piece(uint32_t i) {
    return {from_.data() + size_t{i} * kPiece, to_.data() + size_t{i} * kPiece, kPiece,
            CopyDirection::kToRing};
  }
  bool WorkerStep(uint32_t worker) {
    const auto ticket = queues_.Take(worker);
    if (!ticket) return false;
    queues_.Finish(worker, *ticket, CopyOf(queues_.piece(*ticket), true));
    return true;
  }

  std::vector<std::byte> from_ = std::vector<std::byte>(64 * kPiece, std::byte{7});
  std::vector<std::byte> to_ = std::vector<std::byte>(64 * kPiece);
  CopyQueues queues_{FindCopyPolicy(1u)->make(), std::vector<int>(2, CopyQueues::kAnyCore),
                     4 * kPiece};
};

TEST_F(CopyQueuesTest, BytesComeOutInTheOrderOfTheStreamWhoeverIsFirst) {
  CopyPipeline pipeline(&queues_, true, 1 << 20);
  for (uint32_t i = 0; i < 2; ++i) pipeline.Add(Piece(i));
  EXPECT_TRUE(WorkerStep(1));  // has the second
  EXPECT_EQ(pipeline.Collect(), 0u);
  EXPECT_TRUE(WorkerStep(0));
  EXPECT_EQ(pipeline.Collect(), 2 * kPiece);
  EXPECT_EQ(to_[2 * kPiece - 1], std::byte{7});
  EXPECT_EQ(to_[2 * kPiece], std::byte{0});
}

TEST_F(CopyQueuesTest, AWorkerAboveItsBacklogGetsNothingMoreAndTheCallerCopies) {
  CopyPipeline pipeline(&queues_, true, 1 << 20);
  for (uint32_t i = 0; i < 9; ++i) pipeline.Add(Piece(i));
  EXPECT_EQ(queues_.backlog(0), 4 * kPiece);
  EXPECT_EQ(queues_.backlog(1), 4 * kPiece);
  EXPECT_EQ(pipeline.totals().caller_pieces, 1u);
  EXPECT_EQ(to_[8 * kPiece], std::byte{7});
}

TEST_F(CopyQueuesTest, BytesInFlightAreBounded) {
  CopyPipeline pipeline(&queues_, true, 2 * kPiece);
  pipeline.Add(Piece(0));
  EXPECT_TRUE(pipeline.HasRoom(kPiece));
  pipeline.Add(Piece(1));
  EXPECT_FALSE(pipeline.HasRoom(kPiece));
  WorkerStep(0);
  pipeline.Collect();
  EXPECT_TRUE(pipeline.HasRoom(kPiece));
}

TEST_F(CopyQueuesTest, WhatWasTakenBackIsLeftAloneByTheWorkerThatComesLate) {
  {
    CopyPipeline pipeline(&queues_, true, 1 << 20);
    for (uint32_t i = 0; i < 4; ++i) pipeline.Add(Piece(i));
  }  // cancelled
  EXPECT_EQ(queues_.in_use(), 0u);
  EXPECT_EQ(queues_.backlog(0) + queues_.backlog(1), 0u);
  EXPECT_FALSE(WorkerStep(0));
  EXPECT_FALSE(WorkerStep(1));
  EXPECT_EQ(to_[0], std::byte{0});
}

TEST_F(CopyQueuesTest, TheCallerHelpsWithWhatNobodyHasBegun) {
  CopyPipeline pipeline(&queues_, true, 1 << 20);
  for (uint32_t i = 0; i < 3; ++i) pipeline.Add(Piece(i));
  const auto begun = queues_.Take(0);
  ASSERT_TRUE(begun);
  EXPECT_TRUE(pipeline.Help());
  EXPECT_TRUE(pipeline.Help());
  EXPECT_FALSE(pipeline.Help());
  EXPECT_EQ(pipeline.Collect(), 0u);  // the first is the worker's still
  queues_.Finish(0, *begun, CopyOf(queues_.piece(*begun), true));
  EXPECT_EQ(pipeline.Collect(), 3 * kPiece);
}

// A buffer of which the second page is not there.
class HalfBuffer {
 public:
  HalfBuffer() : base_(static_cast<std::byte*>(Map())) { munmap(base_ + kPiece, kPiece); }
  ~HalfBuffer() { munmap(base_, kPiece); }
  std::byte* base() const { return base_; }

 private:
  static void* Map() {
    return mmap(nullptr, 2 * kPiece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  std::byte* const base_;
};

TEST_F(CopyQueuesTest, AFaultEndsTheStreamWhereItIsAndCancelsWhatIsBehind) {
  const HalfBuffer half;
  CopyPipeline pipeline(&queues_, true, 1 << 20);
  pipeline.Add(Piece(0));
  pipeline.Add({half.base() + kPiece / 2, to_.data() + kPiece, kPiece, CopyDirection::kToRing});
  pipeline.Add(Piece(2));
  while (WorkerStep(0) || WorkerStep(1)) {
  }
  EXPECT_EQ(pipeline.Collect(), kPiece + kPiece / 2);
  EXPECT_TRUE(pipeline.fault());
  EXPECT_TRUE(pipeline.empty());
  EXPECT_EQ(queues_.in_use(), 0u);
}

TEST_F(CopyQueuesTest, AFaultOnReceiveLeavesTheRestInTheRing) {
  const HalfBuffer half;
  CopyPipeline pipeline(&queues_, true, 1 << 20);
  pipeline.Add({half.base(), to_.data(), 2 * kPiece, CopyDirection::kFromRing});
  WorkerStep(0);
  EXPECT_EQ(pipeline.Collect(), kPiece);
  EXPECT_TRUE(pipeline.fault());
}

TEST(CopyPool, ManyCallsAtOnceEachGetTheirOwnBytes) {
  auto pool = CopyPool::Create({.workers = 3,
                                .policy = 2,
                                .threshold = 1,
                                .worker_backlog = 640 * 1024,
                                .send_in_flight = 1 << 20,
                                .receive_in_flight = 1 << 20,
                                .help = 1,
                                .checked = 0});
  ASSERT_TRUE(pool.ok()) << pool.status();
  const auto call = [&](uint8_t mark, bool help) {
    std::vector<std::byte> from(32 * kPiece, std::byte{mark}), to(from.size());
    for (int round = 0; round < 100; ++round) {
      std::memset(to.data(), 0, to.size());
      CopyPipeline pipeline(&(*pool)->queues(), round % 2 == 0, 8 * kPiece);
      size_t added = 0, done = 0;
      while (done < from.size()) {
        if (added < from.size() && pipeline.HasRoom(kPiece)) {
          pipeline.Add({from.data() + added, to.data() + added, kPiece, CopyDirection::kToRing});
          added += kPiece;
        }
        const uint64_t bytes = pipeline.Collect();
        done += bytes;
        if (bytes == 0 && !pipeline.empty() && !(help && pipeline.Help())) pipeline.Await();
      }
      ASSERT_EQ(from, to);
    }
  };
  std::vector<std::thread> callers;
  for (uint8_t i = 1; i <= 4; ++i) callers.emplace_back(call, i, i % 2 == 0);
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ((*pool)->queues().in_use(), 0u);
}

}  // namespace
}  // namespace netchannel
