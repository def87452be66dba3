// SPDX-License-Identifier: Apache-2.0
// Who decides a socket's class and weight, and that its bytes follow a change in mid-stream.
#include <gtest/gtest.h>

#include "fake_network.h"

namespace netchannel {
namespace {

constexpr AppClass kT = AppClass::kThroughput;
constexpr AppClass kL = AppClass::kLatency;

class ClassTest : public testing::Test {
 protected:
  static SocketStatus StatusOf(const FakeHost& host, SocketId id) {
    for (const SocketStatus& socket : host.layer->ListSockets()) {
      if (socket.id == id) return socket;
    }
    ADD_FAILURE() << "no socket " << id;
    return {};
  }
  static AppClass ClassOf(const FakeHost& host, SocketId id) {
    return StatusOf(host, id).app_class;
  }
  static void Choose(FakeHost& host, SocketId id, AppClass app_class) {
    SocketOptions options;
    options.app_class = app_class;
    ASSERT_EQ(host.layer->SetOptions(id, options), 0);
  }
  // Channel 0 is throughput's, 1 latency's: which one takes the next byte.
  size_t ChannelOfNextByte(SocketId client) {
    net_.Run();
    net_.a.Write(net_.now, client, "x");
    net_.a.layer->Pump(net_.now, 64);
    return net_.a.port.queues[0].empty() ? 1 : 0;
  }

  FakeNetwork net_;
};

TEST_F(ClassTest, TheOpenersClassIsTheAcceptorsToo) {
  const SocketId listener = net_.b.Listen(80);
  const SocketId client = net_.a.Create();
  Choose(net_.a, client, kL);
  net_.a.layer->Connect(net_.now, client, net_.server_endpoint());
  net_.Run();
  const SocketId server = *net_.b.Accept(listener);
  EXPECT_EQ(ClassOf(net_.b, server), kL);
  EXPECT_EQ(StatusOf(net_.b, server).class_source, ClassSource::kOpener);
  // Another option of the acceptor's, in which it chooses no class, leaves it.
  net_.b.layer->SetOptions(server, SocketOptions{});
  EXPECT_EQ(ClassOf(net_.b, server), kL);
}

TEST_F(ClassTest, TheListenersChoiceHoldsForWhatItAccepts) {
  const SocketId listener = net_.b.Listen(80);
  Choose(net_.b, listener, kL);
  net_.a.Connect(net_.now, net_.server_endpoint());
  net_.Run();
  EXPECT_EQ(ClassOf(net_.b, *net_.b.Accept(listener)), kL);
}

TEST_F(ClassTest, BytesFollowARuleThatComesWhileConnected) {
  const auto pair = net_.Connected();
  EXPECT_EQ(ChannelOfNextByte(pair.client), 0u);
  net_.a.layer->SetClassWishes(pair.client, {kL, 0}, {});
  EXPECT_EQ(ChannelOfNextByte(pair.client), 1u);
  net_.a.layer->SetClassWishes(pair.client, {}, {});
  EXPECT_EQ(ChannelOfNextByte(pair.client), 0u);
}

TEST_F(ClassTest, ASocketsOwnChoiceWinsOverARule) {
  const auto pair = net_.Connected();
  Choose(net_.a, pair.client, kT);
  net_.a.layer->SetClassWishes(pair.client, {kL, 0}, {kL, 0});
  EXPECT_EQ(ChannelOfNextByte(pair.client), 0u);
}

TEST_F(ClassTest, WeightsShareTheBytes) {
  FakeNetwork net({.ring_bytes = 1 << 20, .initial_window = 1 << 20});
  net.b.Listen(80);
  const SocketId light = net.a.Connect(net.now, net.server_endpoint());
  const SocketId heavy = net.a.Connect(net.now, net.server_endpoint());
  net.Run();
  net.a.layer->SetClassWishes(heavy, {std::nullopt, 3}, {});
  const std::string bytes = Pattern(1 << 20);
  for (const SocketId socket : {light, heavy}) net.a.Write(net.now, socket, bytes);
  net.a.port.limit = 1 << 19;
  net.a.layer->Pump(net.now, 1000);
  const ByteCount light_sent = StatusOf(net.a, light).sent;
  const ByteCount heavy_sent = StatusOf(net.a, heavy).sent;
  EXPECT_EQ(heavy_sent, 3 * light_sent);
  EXPECT_GT(light_sent, 0u);
}

class AutomaticClassTest : public testing::TestWithParam<bool> {};

// Both ends see requests and answers in turn, and a bulk answer in the end.
TEST_P(AutomaticClassTest, TrafficDecidesWhereItIsAskedFor) {
  const bool automatic = GetParam();
  FakeNetwork net({.ring_bytes = 1 << 20, .initial_window = 1 << 20, .automatic = automatic});
  const auto pair = net.Connected();
  for (int i = 0; i <= TrafficShape::kTurns + 1; ++i) {
    net.a.Write(net.now, pair.client, "request");
    net.Run();
    EXPECT_EQ(net.b.Read(net.now, pair.server), "request");
    net.b.Write(net.now, pair.server, "answer");
    net.Run();
    EXPECT_EQ(net.a.Read(net.now, pair.client), "answer");
  }
  const auto source = [](const FakeHost& host, SocketId id) {
    return host.layer->ListSockets().at(id).app_class;
  };
  const AppClass expected = automatic ? kL : kT;
  EXPECT_EQ(source(net.a, pair.client), expected);
  EXPECT_EQ(net.b.layer->ListSockets().size(), 2u);  // the listener, and the connection
  EXPECT_EQ(net.b.layer->ListSockets().back().app_class, expected);
  net.b.Write(net.now, pair.server, Pattern(TrafficShape::kBigTurn + 1));
  net.Run();
  EXPECT_EQ(net.b.layer->ListSockets().back().app_class, kT);
  EXPECT_EQ(net.a.Read(net.now, pair.client), Pattern(TrafficShape::kBigTurn + 1));
}

INSTANTIATE_TEST_SUITE_P(OnAndOff, AutomaticClassTest, testing::Bool());

}  // namespace
}  // namespace netchannel
