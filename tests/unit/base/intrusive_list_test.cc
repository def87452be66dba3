// SPDX-License-Identifier: Apache-2.0
#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace netchannel {
namespace {

struct Item {
  int id = 0;
  ListLink<Item> link{};
  ListLink<Item> other{};
};
using List = IntrusiveList<Item, &Item::link>;

std::vector<int> Ids(const List& list) {
  std::vector<int> ids;
  for (const Item& item : list) ids.push_back(item.id);
  return ids;
}

class IntrusiveListTest : public ::testing::Test {
 protected:
  Item a{.id = 1}, b{.id = 2}, c{.id = 3};
  List list;
};

TEST_F(IntrusiveListTest, KeepsTheOrderOfPushes) {
  list.PushBack(b);
  list.PushBack(c);
  list.PushFront(a);
  EXPECT_EQ(Ids(list), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(list.size(), 3u);
}

TEST_F(IntrusiveListTest, RemovesFromTheMiddleAndTheEnds) {
  for (Item* item : {&a, &b, &c}) list.PushBack(*item);
  list.Remove(b);
  EXPECT_EQ(Ids(list), (std::vector<int>{1, 3}));
  EXPECT_FALSE(List::IsLinked(b));
  list.Remove(c);
  list.Remove(a);
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.back(), nullptr);
}

TEST_F(IntrusiveListTest, PopsFromTheFrontUntilEmpty) {
  list.PushBack(a);
  list.PushBack(b);
  EXPECT_EQ(list.PopFront(), &a);
  EXPECT_EQ(list.PopFront(), &b);
  EXPECT_EQ(list.PopFront(), nullptr);
}

TEST_F(IntrusiveListTest, MoveToBackTakesTurns) {
  for (Item* item : {&a, &b, &c}) list.PushBack(*item);
  list.MoveToBack(a);
  list.MoveToBack(a);
  EXPECT_EQ(Ids(list), (std::vector<int>{2, 3, 1}));
}

TEST_F(IntrusiveListTest, InsertBeforeKeepsTheNeighbours) {
  list.PushBack(a);
  list.PushBack(c);
  list.InsertBefore(c, b);
  EXPECT_EQ(Ids(list), (std::vector<int>{1, 2, 3}));
}

TEST_F(IntrusiveListTest, AnElementIsInAListPerLink) {
  IntrusiveList<Item, &Item::other> second;
  list.PushBack(a);
  second.PushBack(a);
  list.Remove(a);
  EXPECT_EQ(second.front(), &a);
}

TEST_F(IntrusiveListTest, DestroyedListLeavesItsElementsUnlinked) {
  {
    List shorter;
    shorter.PushBack(a);
  }
  EXPECT_FALSE(List::IsLinked(a));
}

}  // namespace
}  // namespace netchannel
