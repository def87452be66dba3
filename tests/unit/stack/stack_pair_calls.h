// SPDX-License-Identifier: Apache-2.0
//
// What tests over a StackPair do with sockets, by the public C API. A call that fails is a failure
// of the test.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "stack_pair.h"

namespace netchannel {

inline nc_socket* Listen(nc_stack* stack, uint16_t port) {
  nc_socket* listener = nc_socket_create(stack, 0);
  const sockaddr_in address = Address("0.0.0.0", port);
  EXPECT_EQ(nc_bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(nc_listen(listener, 16), 0);
  return listener;
}

inline nc_socket* Connect(nc_stack* stack, const char* ip, uint16_t port) {
  nc_socket* socket = nc_socket_create(stack, 0);
  const sockaddr_in address = Address(ip, port);
  EXPECT_EQ(nc_connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0)
      << std::strerror(errno);
  return socket;
}

inline void SendAll(nc_socket* socket, const std::vector<char>& bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = nc_send(socket, bytes.data() + sent, bytes.size() - sent, 0);
    ASSERT_GT(n, 0) << std::strerror(errno);
    sent += static_cast<size_t>(n);
  }
}

inline std::vector<char> Pattern(uint64_t seed, size_t size) {
  SeededRng rng(seed);
  std::vector<char> bytes(size);
  for (char& byte : bytes) byte = static_cast<char>(rng.Next());
  return bytes;
}

// One connection from a to b with a thread at each end.
inline void Converse(StackPair& pair, uint16_t port, const std::function<void(nc_socket*)>& at_a,
                     const std::function<void(nc_socket*)>& at_b) {
  nc_socket* listener = Listen(pair.b(), port);
  std::thread server([&] {
    nc_socket* socket = nc_accept(listener, nullptr, nullptr, 0);
    ASSERT_NE(socket, nullptr) << std::strerror(errno);
    at_b(socket);
    nc_close(socket);
  });
  nc_socket* socket = Connect(pair.a(), "10.0.0.2", port);
  at_a(socket);
  nc_close(socket);
  server.join();
  nc_close(listener);
}

}  // namespace netchannel
