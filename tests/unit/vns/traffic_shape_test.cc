// SPDX-License-Identifier: Apache-2.0
#include "vns/traffic_shape.h"

#include <gtest/gtest.h>

#include "vns/socket_class.h"

namespace netchannel {
namespace {

constexpr ByteCount kKiB = 1024;

// `turns` requests of `request` bytes, each answered by `answer` bytes.
int Exchange(TrafficShape& shape, int turns, ByteCount request, ByteCount answer) {
  int changes = 0;
  for (int i = 0; i < turns; ++i) {
    changes += shape.OnWritten(request) ? 1 : 0;
    changes += shape.OnReceived(answer) ? 1 : 0;
  }
  return changes;
}

TEST(TrafficShapeTest, ANewConnectionIsThroughput) {
  EXPECT_EQ(TrafficShape().app_class(), AppClass::kThroughput);
}

TEST(TrafficShapeTest, SmallRequestsAndAnswersInTurnBecomeLatency) {
  TrafficShape shape;
  EXPECT_EQ(Exchange(shape, TrafficShape::kTurns, 100, 4 * kKiB), 0);
  EXPECT_TRUE(shape.OnWritten(100));
  EXPECT_EQ(shape.app_class(), AppClass::kLatency);
}

TEST(TrafficShapeTest, TheAnsweringEndSeesTheSame) {
  TrafficShape shape;
  for (int i = 0; i <= TrafficShape::kTurns + 1; ++i) {
    shape.OnReceived(100);
    shape.OnWritten(4 * kKiB);
  }
  EXPECT_EQ(shape.app_class(), AppClass::kLatency);
}

TEST(TrafficShapeTest, AOneWayStreamOfSmallMessagesStaysThroughput) {
  TrafficShape shape;
  for (int i = 0; i < 100'000; ++i) EXPECT_FALSE(shape.OnWritten(64));
  EXPECT_EQ(shape.app_class(), AppClass::kThroughput);
}

TEST(TrafficShapeTest, AnAnswerInManyPiecesIsOneTurn) {
  TrafficShape shape;
  for (int i = 0; i <= TrafficShape::kTurns; ++i) {
    shape.OnWritten(200);
    for (int piece = 0; piece < 12; ++piece) shape.OnReceived(kKiB);
  }
  EXPECT_EQ(shape.app_class(), AppClass::kLatency);
}

TEST(TrafficShapeTest, ADownloadStaysThroughput) {
  TrafficShape shape;
  Exchange(shape, 100, 200, 100 * kKiB);
  EXPECT_EQ(shape.app_class(), AppClass::kThroughput);
}

TEST(TrafficShapeTest, BulkWithShortAcknowledgementsStaysThroughput) {
  TrafficShape shape;
  Exchange(shape, 100, 128 * kKiB, 8);
  EXPECT_EQ(shape.app_class(), AppClass::kThroughput);
}

TEST(TrafficShapeTest, OneBigTurnInEitherDirectionMakesThroughputAtOnce) {
  for (const bool write : {true, false}) {
    TrafficShape shape;
    Exchange(shape, TrafficShape::kTurns + 1, 100, 100);
    ASSERT_EQ(shape.app_class(), AppClass::kLatency);
    const ByteCount big = TrafficShape::kBigTurn + 1;
    EXPECT_TRUE(write ? shape.OnWritten(big) : shape.OnReceived(big));
    EXPECT_EQ(shape.app_class(), AppClass::kThroughput);
  }
}

TEST(TrafficShapeTest, TurnsBetweenTheThresholdsKeepTheClass) {
  TrafficShape latency, throughput;
  Exchange(latency, TrafficShape::kTurns + 1, 100, 100);
  EXPECT_EQ(Exchange(latency, 100, 40 * kKiB, 100), 0);
  EXPECT_EQ(Exchange(throughput, 100, 40 * kKiB, 100), 0);
  EXPECT_EQ(latency.app_class(), AppClass::kLatency);
  EXPECT_EQ(throughput.app_class(), AppClass::kThroughput);
}

TEST(TrafficShapeTest, AConnectionThatDoesBothSettlesAsThroughput) {
  TrafficShape shape;
  int changes = 0;
  for (int i = 0; i < 1000; ++i) {
    changes += Exchange(shape, 100, 100, 100);
    changes += Exchange(shape, 1, 1024 * kKiB, 8);
  }
  // Up and down after 16, 32 and 64 small turns; 128 are more than there are in a row.
  EXPECT_EQ(changes, 6);
  EXPECT_EQ(shape.app_class(), AppClass::kThroughput);
}

TEST(SocketClassTest, TheStrongestVoiceWins) {
  SocketClass socket;
  socket.Resolve({}, true);
  EXPECT_EQ(socket.source, ClassSource::kDefault);
  Exchange(socket.shape, TrafficShape::kTurns + 1, 1, 1);
  socket.Resolve({}, true);
  EXPECT_EQ(socket.source, ClassSource::kTraffic);
  EXPECT_EQ(socket.app_class, AppClass::kLatency);
  socket.peers.app_class = AppClass::kThroughput;
  socket.Resolve({}, true);
  EXPECT_EQ(socket.source, ClassSource::kPeers);
  EXPECT_EQ(socket.app_class, AppClass::kThroughput);
  socket.opened_as_latency = true;
  socket.Resolve({}, true);
  EXPECT_EQ(socket.source, ClassSource::kOpener);
  EXPECT_EQ(socket.app_class, AppClass::kLatency);
  socket.rule.app_class = AppClass::kThroughput;
  socket.Resolve({}, true);
  EXPECT_EQ(socket.source, ClassSource::kRule);
  EXPECT_EQ(socket.app_class, AppClass::kThroughput);
  socket.Resolve({AppClass::kLatency, 0}, true);
  EXPECT_EQ(socket.source, ClassSource::kOption);
  EXPECT_EQ(socket.app_class, AppClass::kLatency);
}

TEST(SocketClassTest, TrafficCountsOnlyWhereItIsAskedFor) {
  SocketClass socket;
  Exchange(socket.shape, TrafficShape::kTurns + 1, 1, 1);
  socket.Resolve({}, false);
  EXPECT_EQ(socket.app_class, AppClass::kThroughput);
}

TEST(SocketClassTest, TheWeightIsTheStrongestVoicesThatHasOne) {
  SocketClass socket;
  socket.Resolve({}, false);
  EXPECT_EQ(socket.weight, 1);
  socket.peers.weight = 3;
  socket.rule.app_class = AppClass::kLatency;
  socket.Resolve({}, false);
  EXPECT_EQ(socket.weight, 3);
  socket.Resolve({std::nullopt, 9}, false);
  EXPECT_EQ(socket.weight, 9);
}

}  // namespace
}  // namespace netchannel
