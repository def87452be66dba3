// SPDX-License-Identifier: Apache-2.0
#include "client/socket.h"
#include "client_fixture.h"

namespace netchannel {
namespace {

using OptionsTest = ClientTest;

TEST_P(OptionsTest, DefaultsAreThoseOfTheHeader) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  EXPECT_EQ(Get(socket, NC_CLASS), 0);
  EXPECT_EQ(Get(socket, NC_WEIGHT), 1);
  EXPECT_EQ(Get(socket, NC_NONBLOCK), 0);
  EXPECT_EQ(Get(socket, NC_LINGER_MS), -1);
  EXPECT_EQ(Get(socket, NC_KEEPCOUNT), 9);
  EXPECT_EQ(Get(socket, NC_SEND_BUFFER), 16 * 1024);
}

TEST_P(OptionsTest, EveryWritableOptionReadsBack) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  const std::pair<nc_option, int> values[] = {{NC_CLASS, 1},           {NC_WEIGHT, 255},
                                              {NC_NONBLOCK, 1},        {NC_NODELAY, 1},
                                              {NC_REUSEADDR, 1},       {NC_PROBE, 1},
                                              {NC_REUSEPORT, 1},       {NC_KEEPALIVE, 1},
                                              {NC_KEEPIDLE_MS, 1000},  {NC_KEEPINTERVAL_MS, 2},
                                              {NC_KEEPCOUNT, 3},       {NC_USER_TIMEOUT_MS, 4},
                                              {NC_LINGER_MS, 5},       {NC_SPIN, 1},
                                              {NC_SEND_TIMEOUT_MS, 6}, {NC_RECEIVE_TIMEOUT_MS, 7},
                                              {NC_SEND_BUFFER, 8192},  {NC_RECEIVE_BUFFER, 16384}};
  for (const auto& [option, value] : values) {
    EXPECT_EQ(nc_setopt(socket, option, value), 0) << option;
    EXPECT_EQ(Get(socket, option), value) << option;
  }
  nc_setopt(socket, NC_SPIN, 0);
}

TEST_P(OptionsTest, TheStackLearnsWhatConcernsIt) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  nc_setopt(socket, NC_CLASS, 1);
  nc_setopt(socket, NC_USER_TIMEOUT_MS, 1234);
  const ipc::Options options = fake().OptionsOf(socket->index);
  EXPECT_EQ(options.app_class, 1);
  EXPECT_EQ(options.weight, 0);
  EXPECT_EQ(options.user_timeout_ms, 1234u);
}

TEST_P(OptionsTest, WhoChoosesNoClassTellsTheStackSo) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  nc_setopt(socket, NC_REUSEADDR, 1);
  EXPECT_EQ(fake().OptionsOf(socket->index).app_class, ipc::kNoClass);
}

TEST_P(OptionsTest, AnAcceptedSocketHasItsListenersOptions) {
  nc_socket* listener = Listen(7400);
  nc_setopt(listener, NC_CLASS, 1);
  nc_socket* socket = nc_socket_create(stack_, 0);
  ASSERT_EQ(Connect(socket, 7400), 0);
  EXPECT_EQ(Get(nc_accept(listener, nullptr, nullptr, 0), NC_CLASS), 1);
}

TEST_P(OptionsTest, UnknownOptionsAreEnoprotoopt) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  EXPECT_EQ(nc_setopt(socket, static_cast<nc_option>(99), 0), -1);
  EXPECT_EQ(errno, ENOPROTOOPT);
}

TEST_P(OptionsTest, ReadOnlyOptionsCannotBeSet) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  EXPECT_EQ(nc_setopt(socket, NC_ERROR, 0), -1);
  EXPECT_EQ(errno, ENOPROTOOPT);
}

TEST_P(OptionsTest, ValuesOutOfRangeAreEinval) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  EXPECT_EQ(nc_setopt(socket, NC_CLASS, 2), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(nc_setopt(socket, NC_WEIGHT, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(nc_setopt(socket, NC_WEIGHT, 256), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(nc_setopt(socket, NC_LINGER_MS, -2), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_P(OptionsTest, QueuesCountBytes) {
  const auto pair = Pair();
  Send(pair.first, "12345");
  Receive(pair.second, 5, MSG_PEEK | MSG_WAITALL);
  EXPECT_EQ(Get(pair.second, NC_RECEIVE_QUEUE), 5);
  fake().HoldData(true);
  Send(pair.first, "678");
  EXPECT_EQ(Get(pair.first, NC_SEND_QUEUE), 3);
}

TEST_P(OptionsTest, SendBufferLimitsWhatIsUnacknowledged) {
  const auto pair = Pair();
  fake().HoldData(true);
  nc_setopt(pair.first, NC_SEND_BUFFER, 4096);
  EXPECT_EQ(Fill(pair.first), 4096u);
}

TEST_P(OptionsTest, ReceiveBufferIsCutToWhatThereMayBe) {
  nc_socket* socket = nc_socket_create(stack_, 0);
  EXPECT_EQ(Get(socket, NC_RECEIVE_BUFFER), 16 * 1024) << "the ring";
  EXPECT_EQ(fake().OptionsOf(socket->index).receive_buffer, 0u);
  nc_setopt(socket, NC_RECEIVE_BUFFER, 1);
  EXPECT_EQ(Get(socket, NC_RECEIVE_BUFFER), 16 * 1024) << "the least";
  EXPECT_EQ(fake().OptionsOf(socket->index).receive_buffer, 16u * 1024);
  nc_setopt(socket, NC_RECEIVE_BUFFER, 1 << 30);
  EXPECT_EQ(Get(socket, NC_RECEIVE_BUFFER), 16 * 1024) << "the ring";
}

INSTANTIATE_TEST_SUITE_P(Client, OptionsTest, testing::Bool());

}  // namespace
}  // namespace netchannel
