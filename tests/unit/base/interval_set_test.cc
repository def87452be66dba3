// SPDX-License-Identifier: Apache-2.0
#include "base/interval_set.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "base/rng.h"

namespace netchannel {
namespace {

using Range = IntervalSet::Range;

std::vector<Range> Ascending(const IntervalSet& s) {
  return {s.OldestFirst().begin(), s.OldestFirst().end()};
}

TEST(IntervalSet, AppendsAtTheEndOfTheLastRange) {
  IntervalSet s(1);
  EXPECT_TRUE(s.Add(0, 10));
  EXPECT_TRUE(s.Add(10, 20));
  EXPECT_EQ(Ascending(s), (std::vector<Range>{{0, 20}}));
}

TEST(IntervalSet, MergesEverythingThatAnAddBridges) {
  IntervalSet s(8);
  EXPECT_TRUE(s.Add(0, 2));
  EXPECT_TRUE(s.Add(4, 6));
  EXPECT_TRUE(s.Add(8, 10));
  EXPECT_TRUE(s.Add(20, 30));
  EXPECT_TRUE(s.Add(2, 9));
  EXPECT_EQ(Ascending(s), (std::vector<Range>{{0, 10}, {20, 30}}));
}

TEST(IntervalSet, AddOfNothingChangesNothing) {
  IntervalSet s(0);
  EXPECT_TRUE(s.Add(5, 5));
  EXPECT_TRUE(s.empty());
}

TEST(IntervalSet, RefusesTheRangeThatExceedsItsBoundAndKeepsTheRest) {
  IntervalSet s(2);
  EXPECT_TRUE(s.Add(0, 1));
  EXPECT_TRUE(s.Add(10, 11));
  EXPECT_FALSE(s.Add(5, 6));
  EXPECT_EQ(Ascending(s), (std::vector<Range>{{0, 1}, {10, 11}}));
  EXPECT_TRUE(s.Add(1, 10));  // fills the gap: fewer ranges, not more
  EXPECT_EQ(s.size(), 1u);
}

TEST(IntervalSet, ContiguousEndIsTheFirstMissingValue) {
  IntervalSet s(8);
  EXPECT_EQ(s.ContiguousEnd(3), 3u);
  EXPECT_TRUE(s.Add(4, 8));
  EXPECT_TRUE(s.Add(10, 12));
  EXPECT_TRUE(s.Add(14, 15));
  EXPECT_EQ(s.ContiguousEnd(3), 3u);
  EXPECT_EQ(s.ContiguousEnd(4), 8u);
  EXPECT_EQ(s.ContiguousEnd(8), 8u);
  EXPECT_EQ(s.ContiguousEnd(11), 12u);
  EXPECT_EQ(s.ContiguousEnd(13), 13u);
  EXPECT_EQ(s.ContiguousEnd(14), 15u);
  EXPECT_EQ(s.ContiguousEnd(100), 100u);
}

TEST(IntervalSet, RemoveBelowCutsThroughARange) {
  IntervalSet s(8);
  EXPECT_TRUE(s.Add(0, 10));
  EXPECT_TRUE(s.Add(20, 30));
  s.RemoveBelow(5);
  EXPECT_EQ(Ascending(s), (std::vector<Range>{{5, 10}, {20, 30}}));
  s.RemoveBelow(20);
  EXPECT_EQ(Ascending(s), (std::vector<Range>{{20, 30}}));
  s.RemoveBelow(30);
  EXPECT_TRUE(s.empty());
}

TEST(IntervalSet, NewestFirstDescends) {
  IntervalSet s(8);
  EXPECT_TRUE(s.Add(0, 1));
  EXPECT_TRUE(s.Add(2, 3));
  EXPECT_TRUE(s.Add(4, 5));
  std::vector<uint64_t> begins;
  for (const Range& r : s.NewestFirst()) begins.push_back(r.begin);
  EXPECT_EQ(begins, (std::vector<uint64_t>{4, 2, 0}));
}

TEST(IntervalSet, WorksAtTheUpperEndOfTheNumbers) {
  IntervalSet s(4);
  EXPECT_TRUE(s.Add(UINT64_MAX - 1, UINT64_MAX));
  EXPECT_TRUE(s.Contains(UINT64_MAX - 1));
  EXPECT_FALSE(s.Contains(UINT64_MAX));
  s.RemoveBelow(UINT64_MAX);
  EXPECT_TRUE(s.empty());
}

TEST(IntervalSet, AgreesWithASetOfNumbers) {
  SeededRng rng(1);
  for (int round = 0; round < 200; ++round) {
    IntervalSet s(64);
    std::set<uint64_t> model;
    for (int step = 0; step < 40; ++step) {
      const uint64_t begin = rng.Below(120);
      const uint64_t end = begin + rng.Below(8);
      if (rng.Chance(0.1)) {
        s.RemoveBelow(begin);
        model.erase(model.begin(), model.lower_bound(begin));
      } else {
        ASSERT_TRUE(s.Add(begin, end));
        for (uint64_t v = begin; v < end; ++v) model.insert(v);
      }
      ASSERT_EQ(s.CountValues(), model.size());
      for (uint64_t v = 0; v < 130; ++v) ASSERT_EQ(s.Contains(v), model.contains(v)) << v;
      for (size_t i = 1; i < s.size(); ++i) {
        ASSERT_GT(s.OldestFirst()[i].begin, s.OldestFirst()[i - 1].end);
      }
    }
  }
}

}  // namespace
}  // namespace netchannel
