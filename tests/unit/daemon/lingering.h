// SPDX-License-Identifier: Apache-2.0
//
// A connection of the kernel's TCP of which the last close waits for the peer, who reads nothing.
// When the peer goes it ends.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <vector>

#include "base/unique_fd.h"

namespace netchannel {

struct Lingering {
  Lingering() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int little = 4096;
    setsockopt(listener.get(), SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
    setsockopt(end.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
    EXPECT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener.get(), 1), 0);
    EXPECT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    EXPECT_EQ(connect(end.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    peer = UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const linger long_enough = {.l_onoff = 1, .l_linger = 600};
    EXPECT_EQ(setsockopt(end.get(), SOL_SOCKET, SO_LINGER, &long_enough, sizeof(long_enough)), 0);
    const std::vector<char> block(64 * 1024);
    while (send(end.get(), block.data(), block.size(), MSG_DONTWAIT) > 0) {
    }
  }
  UniqueFd end = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  UniqueFd peer;
};

}  // namespace netchannel
