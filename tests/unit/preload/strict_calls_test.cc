// SPDX-License-Identifier: Apache-2.0
//
// --strict without a daemon: what is refused, and why. Run apart from all other tests, with
// NETCHANNEL_STRICT set; the last test has a ring, which its process never loses.
#include <sys/syscall.h>

#include "calls_fixture.h"

namespace {

class Strict : public Calls {
 protected:
  void SetUp() override {
    if (getenv("NETCHANNEL_STRICT") == nullptr) GTEST_SKIP() << "not a strict run";
  }
  static void MakeRing() {
    alignas(8) char parameters[256] = {};
    // Whether the kernel has it does not matter: the program would use it.
    const long ring = syscall(SYS_io_uring_setup, 1, parameters);
    if (ring >= 0) close(static_cast<int>(ring));
  }
  // That the call fails, with a message that has `why`.
  template <typename F>
  static void IsRefused(const char* why, F call) {
    testing::internal::CaptureStderr();
    const int result = call();
    const int error = errno;
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(result, -1);
    EXPECT_EQ(error, ENETUNREACH);
    EXPECT_NE(said.find(why), std::string::npos) << said;
  }
  // 192.0.2.1 (RFC 5737) is nobody's; from 127.0.0.1 the kernel would not even try.
  static int ConnectAway(int fd) {
    sockaddr_in self{}, peer{};
    self.sin_family = peer.sin_family = AF_INET;
    self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer.sin_addr.s_addr = htonl(0xc0000201);
    peer.sin_port = htons(9);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&self), sizeof(self)), 0);
    return connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof(peer));
  }
};

TEST_F(Strict, RefusesWithoutADaemon) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  IsRefused("no daemon", [=] { return ConnectAway(fd); });
  close(fd);
}

TEST_F(Strict, RefusesWhatHasAnOptionOfTheKernels) {
  const int bytes = 2;
  const int fd = socket(AF_INET, SOCK_STREAM, 0), listener = socket(AF_INET, SOCK_STREAM, 0);
  for (const int one : {fd, listener}) {
    ASSERT_EQ(setsockopt(one, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)), 0);
  }
  IsRefused("an option", [=] { return ConnectAway(fd); });
  IsRefused("an option", [=] { return listen(listener, 16); });
  close(fd);
  close(listener);
}

TEST_F(Strict, RefusesAnIpv6OnlyListener) {
  const int listener = socket(AF_INET6, SOCK_STREAM, 0), on = 1;
  ASSERT_EQ(setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
  IsRefused("IPv6-only", [=] { return listen(listener, 16); });
  close(listener);
}

TEST_F(Strict, RefusesAProgramWithARing) {
  MakeRing();
  const int fd = socket(AF_INET, SOCK_STREAM, 0), listener = socket(AF_INET, SOCK_STREAM, 0);
  IsRefused("io_uring", [=] { return ConnectAway(fd); });
  IsRefused("io_uring", [=] { return listen(listener, 16); });
  close(fd);
  close(listener);
}

}  // namespace
