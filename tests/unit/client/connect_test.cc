// SPDX-License-Identifier: Apache-2.0
#include "client/connect.h"

#include <atomic>
#include <thread>

#include "client/socket.h"
#include "client_fixture.h"

namespace netchannel {
namespace {

using ConnectTest = ClientTest;

TEST_P(ConnectTest, ConnectReachesAListener) {
  const auto [one, other] = Pair();
  EXPECT_EQ(Send(one, "hello"), 5);
  EXPECT_EQ(Receive(other, 5), "hello");
}

TEST_P(ConnectTest, ConnectToAClosedPortIsRefused) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  EXPECT_EQ(Connect(socket, 9), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
}

TEST_P(ConnectTest, NonBlockingConnectIsInProgressThenWritable) {
  nc_socket* listener = Listen(7001);
  fake().HoldConnects(true);
  nc_socket* socket = nc_socket_create(stack_, SOCK_NONBLOCK);
  EXPECT_EQ(Connect(socket, 7001), -1);
  EXPECT_EQ(errno, EINPROGRESS);
  EXPECT_EQ(nc_ready(socket) & NC_WRITE, 0u);
  fake().HoldConnects(false);
  EXPECT_NE(nc_ready(socket) & NC_WRITE, 0u);
  EXPECT_EQ(Get(socket, NC_ERROR), 0);
  nc_close(listener);
}

TEST_P(ConnectTest, NonBlockingConnectReportsRefusalOnceThroughNcError) {
  fake().HoldConnects(true);
  nc_socket* socket = nc_socket_create(stack_, SOCK_NONBLOCK);
  EXPECT_EQ(Connect(socket, 9), -1);
  fake().HoldConnects(false);
  EXPECT_NE(nc_ready(socket) & NC_FAILED, 0u);
  EXPECT_EQ(Get(socket, NC_ERROR), ECONNREFUSED);
  EXPECT_EQ(Get(socket, NC_ERROR), 0);
  EXPECT_EQ(nc_ready(socket) & NC_FAILED, 0u);
}

TEST_P(ConnectTest, SecondConnectWhileTheFirstGoesOnIsEalready) {
  fake().HoldConnects(true);
  nc_socket* socket = nc_socket_create(stack_, SOCK_NONBLOCK);
  Connect(socket, 9);
  EXPECT_EQ(Connect(socket, 9), -1);
  EXPECT_EQ(errno, EALREADY);
}

TEST_P(ConnectTest, ConnectOfAConnectedSocketIsEisconn) {
  const auto [one, other] = Pair();
  EXPECT_EQ(Connect(one, 7000), -1);
  EXPECT_EQ(errno, EISCONN);
}

TEST_P(ConnectTest, SendTimeoutBoundsABlockingConnect) {
  fake().HoldConnects(true);
  nc_socket* socket = nc_socket_create(stack_, 0);
  nc_setopt(socket, NC_SEND_TIMEOUT_MS, 5);
  EXPECT_EQ(Connect(socket, 9), -1);
  EXPECT_EQ(errno, EINPROGRESS);
}

TEST_P(ConnectTest, ASocketCanTryAgainAfterRefusal) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  EXPECT_EQ(Connect(socket, 7002), -1);
  nc_socket* listener = Listen(7002);
  EXPECT_EQ(Connect(socket, 7002), 0);
  nc_close(listener);
}

class OpenTest : public ClientTest {
 protected:
  nc_socket* Open(uint16_t port, OpenOptions options, int* error) {
    const sockaddr_in address = At(port);
    return OpenConnection(stack_, reinterpret_cast<const sockaddr*>(&address), sizeof(address),
                          options, error);
  }
};

TEST_P(OpenTest, OpeningReachesAListenerWithItsOptions) {
  Listen(7100);
  int error = -1;
  nc_socket* const socket = Open(7100, {.probe = true, .app_class = 1}, &error);
  ASSERT_NE(socket, nullptr);
  EXPECT_EQ(error, 0);
  int probe = 0, app_class = 0;
  nc_getopt(socket, NC_PROBE, &probe);
  nc_getopt(socket, NC_CLASS, &app_class);
  EXPECT_EQ(probe, 1);
  EXPECT_EQ(app_class, 1);
  EXPECT_EQ(fake().OptionsOf(socket->index).probe, 1);
  EXPECT_EQ(fake().OptionsOf(socket->index).app_class, 1);
  EXPECT_EQ(nc_send(socket, "x", 1, 0), 1);
}

TEST_P(OpenTest, OpeningWaitsForTheOutcome) {
  Listen(7101);
  fake().HoldConnects(true);
  std::atomic<bool> over{false};
  std::thread opener([&] {
    int error = -1;
    nc_socket* const socket = Open(7101, {}, &error);
    EXPECT_NE(socket, nullptr);
    EXPECT_EQ(error, 0);
    EXPECT_NE(nc_ready(socket) & NC_WRITE, 0u);
    over.store(true);
  });
  while (fake().OpenSlots() < 2) std::this_thread::yield();
  EXPECT_FALSE(over.load());
  fake().HoldConnects(false);
  opener.join();
}

TEST_P(OpenTest, OpeningToAClosedPortIsRefused) {
  int error = -1;
  nc_socket* const socket = Open(9, {}, &error);
  EXPECT_NE(socket, nullptr);
  EXPECT_EQ(error, ECONNREFUSED);
  nc_close(socket);
  EXPECT_EQ(fake().OpenSlots(), 0u);
}

TEST_P(OpenTest, OpeningWithoutBlockingIsInProgress) {
  Listen(7102);
  fake().HoldConnects(true);
  int error = -1;
  nc_socket* const socket = Open(7102, {.nonblocking = true}, &error);
  ASSERT_NE(socket, nullptr);
  EXPECT_EQ(error, EINPROGRESS);
  EXPECT_EQ(nc_ready(socket) & NC_WRITE, 0u);
  fake().HoldConnects(false);
  fake().Settle();
  EXPECT_NE(nc_ready(socket) & NC_WRITE, 0u);
}

TEST_P(OpenTest, WithoutRoomThereIsNoSocket) {
  Start({.shape = {.socket_count = 2, .ring_bytes = 16 * 1024}});
  Listen(7103);
  nc_socket_create(stack_, 0);
  int error = 0;
  EXPECT_EQ(Open(7103, {}, &error), nullptr);
  EXPECT_EQ(error, EMFILE);
}

TEST_P(ConnectTest, AcceptWaitsForAConnection) {
  nc_socket* listener = Listen(7003);
  std::thread connector([&] {
    nc_socket* socket = nc_socket_create(stack_, 0);
    EXPECT_EQ(Connect(socket, 7003), 0);
  });
  EXPECT_NE(nc_accept(listener, nullptr, nullptr, 0), nullptr);
  connector.join();
}

TEST_P(ConnectTest, AcceptGivesThePeersAddress) {
  nc_socket* listener = Listen(7004);
  nc_socket* socket = nc_socket_create(stack_, 0);
  ASSERT_EQ(Connect(socket, 7004), 0);
  sockaddr_in own{}, peer{};
  socklen_t own_length = sizeof(own), peer_length = sizeof(peer);
  ASSERT_EQ(nc_getsockname(socket, reinterpret_cast<sockaddr*>(&own), &own_length), 0);
  ASSERT_NE(nc_accept(listener, reinterpret_cast<sockaddr*>(&peer), &peer_length, 0), nullptr);
  EXPECT_EQ(peer.sin_port, own.sin_port);
  EXPECT_EQ(peer_length, sizeof(sockaddr_in));
}

TEST_P(ConnectTest, NonBlockingAcceptWithoutConnectionIsEagain) {
  nc_socket* listener = Listen(7005);
  nc_setopt(listener, NC_NONBLOCK, 1);
  EXPECT_EQ(nc_accept(listener, nullptr, nullptr, 0), nullptr);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_P(ConnectTest, ReceiveTimeoutBoundsAccept) {
  nc_socket* listener = Listen(7006);
  nc_setopt(listener, NC_RECEIVE_TIMEOUT_MS, 5);
  EXPECT_EQ(nc_accept(listener, nullptr, nullptr, 0), nullptr);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_P(ConnectTest, AcceptedSocketIsNonBlockingOnlyWhenAsked) {
  nc_socket* listener = Listen(7007);
  nc_socket* one = nc_socket_create(stack_, 0);
  nc_socket* two = nc_socket_create(stack_, 0);
  ASSERT_EQ(Connect(one, 7007), 0);
  ASSERT_EQ(Connect(two, 7007), 0);
  EXPECT_EQ(Get(nc_accept(listener, nullptr, nullptr, SOCK_NONBLOCK), NC_NONBLOCK), 1);
  EXPECT_EQ(Get(nc_accept(listener, nullptr, nullptr, 0), NC_NONBLOCK), 0);
}

TEST_P(ConnectTest, AcceptOfASocketThatDoesNotListenIsEinval) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  EXPECT_EQ(nc_accept(socket, nullptr, nullptr, 0), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

TEST_P(ConnectTest, ConnectionsBeyondTheBacklogWaitForAcceptToMakeRoom) {
  nc_socket* listener = Listen(7008, 1);
  nc_socket* one = nc_socket_create(stack_, 0);
  nc_socket* two = nc_socket_create(stack_, 0);
  ASSERT_EQ(Connect(one, 7008), 0);
  EXPECT_EQ(Connect(two, 7008), -1);
  ASSERT_NE(nc_accept(listener, nullptr, nullptr, 0), nullptr);
  EXPECT_EQ(Connect(two, 7008), 0);
}

TEST_P(ConnectTest, ClosingAListenerResetsWhatWaits) {
  nc_socket* listener = Listen(7009);
  nc_socket* socket = nc_socket_create(stack_, 0);
  ASSERT_EQ(Connect(socket, 7009), 0);
  nc_close(listener);
  char byte;
  EXPECT_EQ(nc_recv(socket, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_P(ConnectTest, BindToATakenPortFails) {
  Listen(7010);
  nc_socket* socket = nc_socket_create(stack_, 0);
  const sockaddr_in address = At(7010);
  EXPECT_EQ(nc_bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), -1);
  EXPECT_EQ(errno, EADDRINUSE);
}

TEST_P(ConnectTest, AFullTableIsEmfile) {
  for (int i = 0; i < 64; ++i) EXPECT_NE(nc_socket_create(stack_, 0), nullptr);
  EXPECT_EQ(nc_socket_create(stack_, 0), nullptr);
  EXPECT_EQ(errno, EMFILE);
}

TEST_P(ConnectTest, UnknownCreateFlagsAreEinval) {
  EXPECT_EQ(nc_socket_create(stack_, 1), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

TEST_P(ConnectTest, PeerNameOfAnUnconnectedSocketIsEnotconn) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  sockaddr_in address;
  socklen_t length = sizeof(address);
  EXPECT_EQ(nc_getpeername(socket, reinterpret_cast<sockaddr*>(&address), &length), -1);
  EXPECT_EQ(errno, ENOTCONN);
}

INSTANTIATE_TEST_SUITE_P(Client, ConnectTest, testing::Bool());
INSTANTIATE_TEST_SUITE_P(Client, OpenTest, testing::Bool());

}  // namespace
}  // namespace netchannel
