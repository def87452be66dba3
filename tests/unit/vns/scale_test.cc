// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "fake_network.h"
#include "vns/virtual_socket.h"

namespace netchannel {
namespace {

TEST(ScaleTest, TenThousandConnectionsToOneServer) {
  FakeNetwork net({.ring_bytes = 16 * 1024, .max_sockets = 20000, .max_streams = 20000});
  const SocketId listener = net.b.Listen(80, 4096);
  std::vector<SocketId> clients;
  for (int batch = 0; batch < 10; ++batch) {
    for (int i = 0; i < 1000; ++i) {
      clients.push_back(net.a.Connect(net.now, net.server_endpoint()));
    }
    net.Run();
    while (net.b.Accept(listener).has_value()) {
    }
  }
  for (const SocketId client : clients) {
    ASSERT_EQ(net.a.View(client).state, SocketState::kConnected);
  }
  for (const SocketId client : clients) net.a.Close(net.now, client);
  net.b.layer->CloseAll(net.now, 1);
  net.Run();
  EXPECT_EQ(net.a.layer->Stats().sockets, 0u);
  EXPECT_EQ(net.b.layer->Stats().sockets, 0u);
}

TEST(ScaleTest, AnIdleConnectionCausesNoWork) {
  FakeNetwork net;
  net.Connected();
  net.a.Changed();
  EXPECT_EQ(net.a.layer->Pump(net.now, 64), 0u);
  EXPECT_TRUE(net.a.Changed().empty());
}

TEST(ScaleTest, ASocketsOwnMemoryIsSmall) { EXPECT_LE(sizeof(VirtualSocket), kMaxIdleBytes); }

}  // namespace
}  // namespace netchannel
