// SPDX-License-Identifier: Apache-2.0
#include "stack/fallback_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

namespace netchannel {
namespace {

using ipc::FallbackReason;

TEST(FallbackLog, KeepsTheLatestAndCountsAll) {
  FallbackLog log;
  const size_t count = FallbackLog::kEntries + 10;
  for (size_t i = 0; i < count; ++i) {
    log.Add(Time::FromNanos(static_cast<int64_t>(i)), {1, "curl", 0},
            {wire::IpAddress::V4(0x0a000001), static_cast<uint16_t>(i)}, FallbackReason::kSilent);
  }
  ASSERT_EQ(log.entries().size(), FallbackLog::kEntries);
  EXPECT_EQ(log.entries().front().peer.port, 10);
  EXPECT_EQ(log.entries().back().peer.port, count - 1);
  EXPECT_EQ(log.count(FallbackReason::kSilent), count);
  EXPECT_EQ(log.count(FallbackReason::kRefused), 0u);
}

TEST(FallbackLog, EachReasonHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (uint32_t i = 0; i < static_cast<uint32_t>(FallbackReason::kCount); ++i) {
    names.insert(ipc::FallbackReasonName(static_cast<FallbackReason>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(FallbackReason::kCount));
  EXPECT_EQ(names.count("unknown"), 0u);
}

TEST(FallbackLog, AProcessKnowsItself) {
  const ApplicationInfo self = ApplicationInfo::Self();
  EXPECT_EQ(self.pid, getpid());
  EXPECT_FALSE(self.command.empty());
}

}  // namespace
}  // namespace netchannel
