// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "fake_network.h"

namespace netchannel {
namespace {

class TransferTest : public testing::Test {
 protected:
  FakeNetwork net_;
  FakeHost& a_ = net_.a;
  FakeHost& b_ = net_.b;
};

// Writes all of `bytes` at one end while the other reads.
std::string Transfer(FakeNetwork& net, FakeHost& from, SocketId out, FakeHost& to, SocketId in,
                     const std::string& bytes) {
  std::string got;
  size_t written = 0;
  for (int round = 0; round < 100000 && got.size() < bytes.size(); ++round) {
    written += from.Write(net.now, out, std::string_view(bytes).substr(written, 5000));
    net.Round();
    got += to.Read(net.now, in);
  }
  return got;
}

TEST_F(TransferTest, BytesArriveInOrderBothWays) {
  const auto pair = net_.Connected();
  const std::string there = Pattern(1000000), back = Pattern(300000, 99);
  EXPECT_EQ(Transfer(net_, a_, pair.client, b_, pair.server, there), there);
  EXPECT_EQ(Transfer(net_, b_, pair.server, a_, pair.client, back), back);
}

TEST_F(TransferTest, BytesArriveIntactOverSeveralChannelsWithFaults) {
  FakeNetwork net({.seed = 5, .faults = {.reorder = 0.5, .duplicate = 0.1, .loss = 0.1}});
  net.a.port.SetChannels(4, 4);
  const auto pair = net.Connected();
  const std::string bytes = Pattern(1000000);
  EXPECT_EQ(Transfer(net, net.a, pair.client, net.b, pair.server, bytes), bytes);
}

TEST_F(TransferTest, ALoneMessageGoesAtOnce) {
  const auto pair = net_.Connected();
  a_.Write(net_.now, pair.client, "x");
  EXPECT_EQ(a_.layer->Pump(net_.now, 64), 1u);
}

TEST_F(TransferTest, ASpaceInTheSendRingComesBackWithTheAcknowledgement) {
  const auto pair = net_.Connected();
  net_.hold_acks = true;
  EXPECT_EQ(a_.Write(net_.now, pair.client, Pattern(20000)), 20000u);
  net_.Run();
  EXPECT_EQ(a_.View(pair.client).acknowledged, 0u);
  net_.hold_acks = false;
  net_.Run();
  EXPECT_EQ(a_.View(pair.client).acknowledged, 20000u);
}

TEST_F(TransferTest, AReaderThatDoesNotReadStopsItsOwnPeerAndNoOneElse) {
  const auto pair = net_.Connected();
  const SocketId other = a_.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  const SocketId other_server = *b_.Accept(pair.listener);
  for (int i = 0; i < 10; ++i) {
    a_.Write(net_.now, pair.client, Pattern(64 * 1024));
    net_.Run();
  }
  EXPECT_EQ(b_.View(pair.server).received, 32u * 1024);  // the window it was opened with
  EXPECT_EQ(a_.port.queued(), 0u);                       // nothing of it clogs the channel
  const std::string bytes = Pattern(200000);
  EXPECT_EQ(Transfer(net_, a_, other, b_, other_server, bytes), bytes);
}

TEST_F(TransferTest, AReaderThatReadsAgainRestartsItsPeer) {
  const auto pair = net_.Connected();
  a_.Write(net_.now, pair.client, Pattern(64 * 1024));
  net_.Run();
  std::string got;
  for (int i = 0; i < 1000 && got.size() < 64 * 1024; ++i) {
    got += b_.Read(net_.now, pair.server, 5000);
    net_.Run();
  }
  EXPECT_EQ(got, Pattern(64 * 1024));
}

TEST_F(TransferTest, TheWindowGrowsToTheRingWhileTheReaderKeepsUp) {
  const auto pair = net_.Connected();
  const std::string bytes = Pattern(300000);
  Transfer(net_, a_, pair.client, b_, pair.server, bytes);
  for (const SocketStatus& status : b_.layer->ListSockets()) {
    if (status.id == pair.server) {
      EXPECT_EQ(status.window, 64u * 1024);
    }
  }
}

TEST_F(TransferTest, WindowUpdatesAreFewerThanReads) {
  const auto pair = net_.Connected();
  a_.Write(net_.now, pair.client, Pattern(30000));
  net_.Run();
  const size_t before = b_.port.enqueued_log.size();
  for (int i = 0; i < 300; ++i) {
    b_.Read(net_.now, pair.server, 100);
    net_.Run();
  }
  EXPECT_LE(b_.port.enqueued_log.size() - before, 4u);
}

TEST_F(TransferTest, LatencySocketsUseLatencyChannelsAfterAChangeOfClass) {
  const auto pair = net_.Connected();
  a_.Write(net_.now, pair.client, "t");
  net_.PumpAndSend();
  SocketOptions options;
  options.app_class = AppClass::kLatency;
  a_.layer->SetOptions(pair.client, options);
  a_.Write(net_.now, pair.client, "l");
  a_.layer->Pump(net_.now, 64);
  EXPECT_EQ(a_.port.queues[0].size(), 0u);
  EXPECT_EQ(a_.port.queues[1].size(), 1u);
}

TEST_F(TransferTest, AFullChannelHoldsTheWriterBack) {
  const auto pair = net_.Connected();
  a_.port.limit = 3000;
  a_.Write(net_.now, pair.client, Pattern(20000));
  a_.layer->Pump(net_.now, 64);
  a_.layer->Pump(net_.now, 64);
  ByteCount queued = 0;
  for (const Segment& s : a_.port.queues[0]) queued += s.length;
  EXPECT_EQ(queued, 3000u);
  net_.Run();
  EXPECT_EQ(b_.Read(net_.now, pair.server), Pattern(20000));
}

TEST_F(TransferTest, PumpKeepsToItsBudget) {
  const auto pair = net_.Connected();
  std::vector<SocketId> sockets{pair.client};
  for (int i = 0; i < 9; ++i) sockets.push_back(a_.Connect(net_.now, net_.server_endpoint()));
  net_.Run();
  for (const SocketId s : sockets) a_.Write(net_.now, s, "message");
  EXPECT_EQ(a_.layer->Pump(net_.now, 4), 4u);
  EXPECT_EQ(a_.layer->Pump(net_.now, 64), 6u);
}

TEST_F(TransferTest, WhatBreaksTheRingsRulesIsRefusedAndChangesNothing) {
  const auto pair = net_.Connected();
  a_.Write(net_.now, pair.client, "12345");
  EXPECT_EQ(a_.layer->OnWritten(net_.now, pair.client, 4), EPROTO);
  EXPECT_EQ(a_.layer->OnWritten(net_.now, pair.client, 64 * 1024 + 6), EPROTO);
  EXPECT_EQ(a_.layer->OnConsumed(net_.now, pair.client, 1), EPROTO);
  EXPECT_EQ(a_.layer->OnWritten(net_.now, 777, 1), EBADF);
  net_.Run();
  EXPECT_EQ(b_.Read(net_.now, pair.server), "12345");
}

TEST_F(TransferTest, AnUnconnectedSocketTakesNoBytes) {
  const SocketId socket = a_.Create();
  EXPECT_EQ(a_.layer->OnWritten(net_.now, socket, 10), EPROTO);
  EXPECT_EQ(a_.layer->OnWritten(net_.now, socket, 0), 0);
}

TEST_F(TransferTest, StatusTellsWhatIsUnreadAndUnsent) {
  const auto pair = net_.Connected();
  a_.Write(net_.now, pair.client, Pattern(60000));
  net_.Run();
  for (const SocketStatus& s : a_.layer->ListSockets()) {
    if (s.id == pair.client) {
      EXPECT_EQ(s.unsent, 60000u - 32 * 1024);
    }
  }
  for (const SocketStatus& s : b_.layer->ListSockets()) {
    if (s.id == pair.server) {
      EXPECT_EQ(s.unread, 32u * 1024);
    }
  }
  EXPECT_EQ(a_.layer->Stats().bytes_sent, 32u * 1024);
}

}  // namespace
}  // namespace netchannel
