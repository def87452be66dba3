// SPDX-License-Identifier: Apache-2.0
//
// A program that makes socket calls and checks what they do, with a far end (peer.cc). It knows
// nothing of NetChannel; it runs with the preload library, and its results must be the kernel's.
//
// Environment: TEST_PEER, TEST_SELF: the addresses of the far end and of this one, TEST_PORT: the
// far end's port. TEST_PATH: netchannel, kernel: what connections must be.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "pattern.h"

// Past all libraries: the kernel's TCP has no connection there.
inline bool IsVirtual(int fd) {
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  long result;
#if defined(__x86_64__)
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(52L), "D"(static_cast<long>(fd)), "S"(&peer), "d"(&length)
                   : "rcx", "r11", "memory");
#else
  register long x8 __asm__("x8") = 205;
  register long x0 __asm__("x0") = fd;
  register void* x1 __asm__("x1") = &peer;
  register void* x2 __asm__("x2") = &length;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  result = x0;
#endif
  return result != 0 || (peer.ss_family != AF_INET && peer.ss_family != AF_INET6);
}

class Calls : public testing::Test {
 protected:
  static sockaddr_in Address(const char* variable, uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, getenv(variable), &address.sin_addr);
    return address;
  }
  static sockaddr_in Peer() {
    return Address("TEST_PEER", static_cast<uint16_t>(std::atoi(getenv("TEST_PORT"))));
  }
  static bool ExpectsNetChannel() { return std::string_view(getenv("TEST_PATH")) == "netchannel"; }

  // A connection whose far end does as `command` says.
  static int Open(const std::string& command) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in peer = Peer();
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)), 0)
        << strerror(errno);
    EXPECT_EQ(IsVirtual(fd), ExpectsNetChannel());
    Say(fd, command + "\n");
    return fd;
  }

  static void Say(int fd, std::string_view text) {
    ASSERT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()))
        << strerror(errno);
  }

  static std::string Read(int fd, size_t length) {
    std::string text(length, '\0');
    size_t done = 0;
    while (done < length) {
      const ssize_t got = read(fd, text.data() + done, length - done);
      if (got <= 0) break;
      done += static_cast<size_t>(got);
    }
    text.resize(done);
    return text;
  }
  static std::string ReadToEnd(int fd) {
    std::string text;
    for (;;) {
      const std::string more = Read(fd, 65536);
      text += more;
      if (more.size() < 65536) return text;
    }
  }
  static void Echoes(int fd, std::string_view text) {
    Say(fd, text);
    EXPECT_EQ(Read(fd, text.size()), text);
  }

  static bool Ready(int fd, short events, int timeout_ms = 5000) {
    pollfd waiting = {fd, events, 0};
    return poll(&waiting, 1, timeout_ms) == 1 && (waiting.revents & events) != 0;
  }

  // A listener on all addresses, and its port.
  static int Listen(uint16_t* port, int flags = 0) {
    const int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd, 64), 0) << strerror(errno);
    socklen_t length = sizeof(address);
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
  }
  // Makes the far end connect to `port` and send `text`. Close what is returned when done.
  static int CallMe(uint16_t port, const std::string& text) {
    return Open("CALL " + std::to_string(port) + " " + text);
  }
};
