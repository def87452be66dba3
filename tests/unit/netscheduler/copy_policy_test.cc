// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/copy/copy_policy.h"

#include <gtest/gtest.h>

#include <array>
#include <map>

namespace netchannel {
namespace {

class CopyPolicyTest : public testing::Test {
 protected:
  std::optional<uint32_t> Choose(std::string_view name, CopyWorkerMask with_room = 0b111) {
    if (policy_ == nullptr) policy_ = FindCopyPolicy(name)->make();
    return policy_->Choose(
        {.backlog = backlog_, .cores = cores_, .with_room = with_room, .caller_core = 1}, cursor_);
  }

  std::array<uint64_t, 3> backlog_ = {0, 0, 0};
  std::array<int, 3> cores_ = {0, 1, 1};
  CopyCursor cursor_{0};
  std::unique_ptr<CopyPolicy> policy_;
};

TEST_F(CopyPolicyTest, RoundRobinGivesEachWorkerAsMuch) {
  std::map<uint32_t, int> given;
  for (int i = 0; i < 30; ++i) given[*Choose("round-robin")] += 1;
  EXPECT_EQ(given, (std::map<uint32_t, int>{{0, 10}, {1, 10}, {2, 10}}));
}

TEST_F(CopyPolicyTest, RoundRobinSkipsAWorkerWithoutRoom) {
  for (int i = 0; i < 9; ++i) EXPECT_NE(*Choose("round-robin", 0b101), 1u);
}

TEST_F(CopyPolicyTest, LeastLoadedTakesTheShortestQueueThatHasRoom) {
  backlog_ = {300, 100, 200};
  EXPECT_EQ(Choose("least-loaded"), 1u);
  EXPECT_EQ(Choose("least-loaded", 0b101), 2u);
}

TEST_F(CopyPolicyTest, LeastLoadedLetsIdleWorkersTakeTurns) {
  std::map<uint32_t, int> given;
  for (int i = 0; i < 9; ++i) given[*Choose("least-loaded")] += 1;
  EXPECT_EQ(given, (std::map<uint32_t, int>{{0, 3}, {1, 3}, {2, 3}}));
}

TEST_F(CopyPolicyTest, SameCoreTakesTheCallersCoreOrLeavesItToTheCaller) {
  std::map<uint32_t, int> given;
  for (int i = 0; i < 6; ++i) given[*Choose("same-core")] += 1;
  EXPECT_EQ(given.count(0), 0u);
  EXPECT_EQ(given.size(), 2u);
  EXPECT_EQ(Choose("same-core", 0b001), std::nullopt);
}

class LastWorker final : public CopyPolicy {
 public:
  std::string_view name() const override { return "last"; }
  std::optional<uint32_t> Choose(const CopyChoice& choice, CopyCursor&) const override {
    return static_cast<uint32_t>(std::bit_width(choice.with_room)) - 1;
  }
};

TEST_F(CopyPolicyTest, APolicyFromOutsideIsOneRegistration) {
  const auto make = []() -> std::unique_ptr<CopyPolicy> { return std::make_unique<LastWorker>(); };
  EXPECT_FALSE(RegisterCopyPolicy({1, "last", make}));                     // ours
  EXPECT_FALSE(RegisterCopyPolicy({100, "round-robin", make}));            // taken
  static const bool registered = RegisterCopyPolicy({100, "last", make});  // also when repeated
  EXPECT_TRUE(registered);
  EXPECT_FALSE(RegisterCopyPolicy({100, "another", make}));
  EXPECT_EQ(FindCopyPolicy(100u)->name, "last");
  EXPECT_EQ(Choose("last", 0b011), 1u);
}

}  // namespace
}  // namespace netchannel
