// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "vns/session_streams.h"
#include "vns/socket_table.h"
#include "vns/stream_map.h"

namespace netchannel {
namespace {

TEST(SocketTableTest, SocketsHaveDifferentNumbersAndAreFoundByThem) {
  SocketTable table(200);
  std::set<SocketId> ids;
  for (int i = 0; i < 200; ++i) {
    VirtualSocket* socket = table.Allocate();
    ASSERT_NE(socket, nullptr);
    EXPECT_EQ(table.Find(socket->id), socket);
    ids.insert(socket->id);
  }
  EXPECT_EQ(ids.size(), 200u);
  EXPECT_EQ(table.in_use(), 200u);
}

TEST(SocketTableTest, AFullTableHasRoomForResetsOnly) {
  SocketTable table(1);
  ASSERT_NE(table.Allocate(), nullptr);
  EXPECT_EQ(table.Allocate(), nullptr);
  for (uint32_t i = 0; i < SocketTable::kResetReserve; ++i) {
    ASSERT_NE(table.AllocateForReset(), nullptr);
  }
  EXPECT_EQ(table.AllocateForReset(), nullptr);
}

TEST(SocketTableTest, AFreedSocketIsNotFoundAndComesBackFresh) {
  SocketTable table(1);
  VirtualSocket* socket = table.Allocate();
  const SocketId id = socket->id;
  socket->error = 5;
  table.Free(*socket);
  EXPECT_EQ(table.Find(id), nullptr);
  VirtualSocket* again = table.Allocate();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->error, 0);
}

TEST(SocketTableTest, AnUnknownNumberIsNotFound) {
  SocketTable table(10);
  EXPECT_EQ(table.Find(0), nullptr);
  EXPECT_EQ(table.Find(~0u), nullptr);
}

TEST(SessionStreamsTest, IdsCountUpAndCarryTheRole) {
  SessionStreams streams({1, 1});
  EXPECT_EQ(streams.TakeId(0), 2u);
  EXPECT_EQ(streams.TakeId(1), 5u);
  EXPECT_EQ(streams.TakeId(1), 7u);
}

TEST(SessionStreamsTest, AnIdIsSeenOnceItWasMarked) {
  SessionStreams streams({1, 1});
  EXPECT_FALSE(streams.Seen(6));
  EXPECT_TRUE(streams.MarkSeen(6));
  EXPECT_TRUE(streams.Seen(6));
  EXPECT_FALSE(streams.Seen(4));
  EXPECT_FALSE(streams.Seen(8));
}

TEST(SessionStreamsTest, IdsInAnyOrderNeedOneRange) {
  SessionStreams streams({1, 1});
  for (StreamId id : {8, 2, 6, 4}) ASSERT_TRUE(streams.MarkSeen(id));
  EXPECT_EQ(streams.seen.size(), 1u);
}

TEST(SessionStreamsTest, APeerThatLeavesGapsIsRefusedInTheEnd) {
  SessionStreams streams({1, 1});
  StreamId id = 2;
  for (size_t i = 0; i < SessionStreams::kMaxGaps; ++i, id += 4) ASSERT_TRUE(streams.MarkSeen(id));
  EXPECT_FALSE(streams.MarkSeen(id));
}

TEST(SessionStreamsTableTest, ASessionIsFoundByItsGeneration) {
  SessionStreamsTable table;
  EXPECT_EQ(table.Find({5, 1}), nullptr);
  table.Get({5, 1});
  EXPECT_NE(table.Find({5, 1}), nullptr);
  EXPECT_EQ(table.Find({5, 2}), nullptr);
  EXPECT_NE(table.FindOlder({5, 2}), nullptr);
  EXPECT_EQ(table.FindOlder({5, 1}), nullptr);
  table.Erase({5, 2});
  EXPECT_NE(table.Find({5, 1}), nullptr);
  table.Erase({5, 1});
  EXPECT_EQ(table.Find({5, 1}), nullptr);
}

TEST(SessionStreamsTableTest, ANewGenerationStartsAfresh) {
  SessionStreamsTable table;
  ASSERT_TRUE(table.Get({5, 1}).MarkSeen(2));
  EXPECT_FALSE(table.Get({5, 2}).Seen(2));
}

TEST(StreamMapTest, AStreamIsFoundInItsSessionOnly) {
  StreamMap map;
  VirtualSocket socket;
  map.Insert({1, 1}, 2, socket);
  EXPECT_EQ(map.Find({1, 1}, 2), &socket);
  EXPECT_EQ(map.Find({1, 2}, 2), nullptr);
  EXPECT_EQ(map.Find({2, 1}, 2), nullptr);
  EXPECT_EQ(map.Find({1, 1}, 3), nullptr);
}

TEST(StreamMapTest, AnErasedStreamIsNotRemembered) {
  StreamMap map;
  VirtualSocket socket;
  map.Insert({1, 1}, 2, socket);
  ASSERT_EQ(map.Find({1, 1}, 2), &socket);
  map.Erase({1, 1}, 2);
  EXPECT_EQ(map.Find({1, 1}, 2), nullptr);
  EXPECT_EQ(map.size(), 0u);
}

}  // namespace
}  // namespace netchannel
