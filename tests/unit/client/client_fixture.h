// SPDX-License-Identifier: Apache-2.0
//
// A client on a FakeStack, and the few lines that most tests begin with. Every test that uses it
// runs twice: on a stack with its own thread, and on one that runs on the threads that wait.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>
#include <utility>

#include "fake_stack.h"
#include "netchannel/netchannel.h"

namespace netchannel {

class ClientTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { Start({}); }
  void TearDown() override { nc_stack_stop(stack_); }

  // Again, with other sizes.
  void Start(FakeStack::Setup setup) {
    nc_stack_stop(stack_);
    setup.lendable = GetParam();
    FakeStack::next_setup = setup;
    stack_ = nc_stack_start("fake0", nullptr);
    ASSERT_NE(stack_, nullptr);
  }

  FakeStack& fake() { return *FakeStack::current; }

  static sockaddr_in At(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(0x0a000001);
    return address;
  }

  int Connect(nc_socket* socket, uint16_t port) {
    const sockaddr_in address = At(port);
    return nc_connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }

  nc_socket* Listen(uint16_t port, int backlog = 16) {
    nc_socket* listener = nc_socket_create(stack_, 0);
    const sockaddr_in address = At(port);
    EXPECT_EQ(nc_bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(nc_listen(listener, backlog), 0);
    return listener;
  }

  // The connecting end, the accepting end.
  std::pair<nc_socket*, nc_socket*> Pair() {
    if (listener_ == nullptr) listener_ = Listen(7000);
    nc_socket* one = nc_socket_create(stack_, 0);
    EXPECT_EQ(Connect(one, 7000), 0);
    nc_socket* other = nc_accept(listener_, nullptr, nullptr, 0);
    EXPECT_NE(other, nullptr);
    return {one, other};
  }

  static int Get(nc_socket* socket, nc_option option) {
    int value = -12345;
    EXPECT_EQ(nc_getopt(socket, option, &value), 0);
    return value;
  }

  static std::string Receive(nc_socket* socket, size_t length, int flags = MSG_WAITALL) {
    std::string text(length, '\0');
    const ssize_t got = nc_recv(socket, text.data(), length, flags);
    text.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return text;
  }

  static ssize_t Send(nc_socket* socket, const std::string& text, int flags = 0) {
    return nc_send(socket, text.data(), text.size(), flags);
  }

  // Fills the send buffer.
  static size_t Fill(nc_socket* socket) {
    const std::string block(1024, 'x');
    size_t sum = 0;
    for (ssize_t sent = 0; (sent = Send(socket, block, MSG_DONTWAIT)) > 0;) {
      sum += static_cast<size_t>(sent);
    }
    return sum;
  }

  nc_stack* stack_ = nullptr;
  nc_socket* listener_ = nullptr;
};

}  // namespace netchannel
