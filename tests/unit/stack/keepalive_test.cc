// SPDX-License-Identifier: Apache-2.0
//
// Keepalive as an application sees it, over two running stacks whose link is cut.
#include <gtest/gtest.h>

#include <cerrno>

#include "stack_pair.h"

namespace netchannel {
namespace {

constexpr uint16_t kKeptPort = 7200;

nc_socket* ConnectTo(nc_stack* stack) {
  nc_socket* socket = nc_socket_create(stack, 0);
  const sockaddr_in address = Address("10.0.0.2", kKeptPort);
  EXPECT_EQ(nc_connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  return socket;
}

void SetKeepalive(nc_socket* socket) {
  EXPECT_EQ(nc_setopt(socket, NC_KEEPIDLE_MS, 100), 0);
  EXPECT_EQ(nc_setopt(socket, NC_KEEPINTERVAL_MS, 50), 0);
  EXPECT_EQ(nc_setopt(socket, NC_KEEPCOUNT, 4), 0);
  EXPECT_EQ(nc_setopt(socket, NC_KEEPALIVE, 1), 0);
}

int ReceiveError(nc_socket* socket, int flags) {
  char byte;
  return nc_recv(socket, &byte, 1, flags) < 0 ? errno : 0;
}

// The session itself would say so after 30 s.
TEST(KeepaliveOfApplications, WhoHasItOnIsToldOfASilentPeerAndNobodyElse) {
  StackPair pair;
  nc_socket* listener = nc_socket_create(pair.b(), 0);
  const sockaddr_in address = Address("0.0.0.0", kKeptPort);
  ASSERT_EQ(nc_bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  SetKeepalive(listener);
  ASSERT_EQ(nc_listen(listener, 16), 0);
  nc_socket* plain = ConnectTo(pair.a());
  nc_socket* kept = ConnectTo(pair.a());
  SetKeepalive(kept);
  nc_socket* accepted = nc_accept(listener, nullptr, nullptr, 0);
  ASSERT_NE(accepted, nullptr);
  nc_setopt(kept, NC_RECEIVE_TIMEOUT_MS, 1000);
  EXPECT_EQ(ReceiveError(kept, 0), EAGAIN) << "the peer answers";
  pair.Cut();
  nc_setopt(kept, NC_RECEIVE_TIMEOUT_MS, 10'000);
  EXPECT_EQ(ReceiveError(kept, 0), ETIMEDOUT);
  nc_setopt(accepted, NC_RECEIVE_TIMEOUT_MS, 10'000);
  EXPECT_EQ(ReceiveError(accepted, 0), ETIMEDOUT) << "as its listener";
  EXPECT_EQ(ReceiveError(plain, MSG_DONTWAIT), EAGAIN);
}

}  // namespace
}  // namespace netchannel
