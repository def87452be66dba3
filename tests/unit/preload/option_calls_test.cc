// SPDX-License-Identifier: Apache-2.0
//
// Options that only the kernel's sockets serve, and lingering.
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <chrono>

#include "calls_fixture.h"

namespace {

class Option : public Calls {
 protected:
  static int SetInt(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof(value));
  }
  // Of the interface that has TEST_SELF; 0: none.
  static int InterfaceIndex() {
    ifaddrs* all = nullptr;
    EXPECT_EQ(getifaddrs(&all), 0);
    int index = 0;
    for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
      if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
      sockaddr_in address;
      std::memcpy(&address, one->ifa_addr, sizeof(address));
      if (address.sin_addr.s_addr == Address("TEST_SELF", 0).sin_addr.s_addr) {
        index = static_cast<int>(if_nametoindex(one->ifa_name));
      }
    }
    freeifaddrs(all);
    return index;
  }
  // How the far end's last SINK has ended, once `is_it` says so: its program reads the end after
  // its stack has acknowledged all.
  template <typename F>
  static std::string AwaitEnd(F is_it) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    std::string end;
    do {
      end = LastEnd();
    } while (!is_it(end) && std::chrono::steady_clock::now() < deadline);
    return end;
  }
  static std::string LastEnd() {
    const int fd = Open("END");
    const std::string end = ReadToEnd(fd);
    close(fd);
    return end;
  }
  // A socket of `family` to which `set` has been done is the kernel's, however it is used; `set`
  // returns 0, or what it may not do here is left out.
  template <typename F>
  static void MakesTheKernels(const char* what, int family, F set) {
    SCOPED_TRACE(what);
    const int fd = socket(family, SOCK_STREAM, 0);
    if (set(fd) != 0) {
      EXPECT_EQ(errno, EPERM) << strerror(errno);
      close(fd);
      return;
    }
    sockaddr_in6 mapped{};
    mapped.sin6_family = AF_INET6;
    mapped.sin6_port = Peer().sin_port;
    inet_pton(AF_INET6, (std::string("::ffff:") + getenv("TEST_PEER")).c_str(), &mapped.sin6_addr);
    const sockaddr_in plain = Peer();
    const auto* const peer = family == AF_INET6 ? reinterpret_cast<const sockaddr*>(&mapped)
                                                : reinterpret_cast<const sockaddr*>(&plain);
    ASSERT_EQ(connect(fd, peer, family == AF_INET6 ? sizeof(mapped) : sizeof(plain)), 0)
        << strerror(errno);
    EXPECT_FALSE(IsVirtual(fd));
    Say(fd, "ECHO\n");
    Echoes(fd, "as ever");
    close(fd);
    const int listener = socket(family, SOCK_STREAM, 0);
    ASSERT_EQ(set(listener), 0);
    ASSERT_EQ(listen(listener, 16), 0);
    sockaddr_in6 local{};
    socklen_t length = sizeof(local);
    ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&local), &length), 0);
    const int asked = CallMe(ntohs(local.sin6_port), "hello");
    const int accepted = accept(listener, nullptr, nullptr);
    EXPECT_FALSE(IsVirtual(accepted));
    EXPECT_EQ(Read(accepted, 5), "hello");
    close(accepted);
    close(asked);
    close(listener);
  }
};

TEST_F(Option, ThatOnlyTheKernelHasMakesASocketTheKernels) {
  MakesTheKernels("SO_RCVLOWAT", AF_INET,
                  [](int fd) { return SetInt(fd, SOL_SOCKET, SO_RCVLOWAT, 2); });
  MakesTheKernels("SO_OOBINLINE", AF_INET,
                  [](int fd) { return SetInt(fd, SOL_SOCKET, SO_OOBINLINE, 1); });
  MakesTheKernels("O_ASYNC", AF_INET, [](int fd) { return fcntl(fd, F_SETFL, O_ASYNC); });
  MakesTheKernels("FIOASYNC", AF_INET, [](int fd) {
    int on = 1;
    return ioctl(fd, FIOASYNC, &on);
  });
  const int index = InterfaceIndex();
  ASSERT_GT(index, 0);
  MakesTheKernels("SO_BINDTOIFINDEX", AF_INET,
                  [=](int fd) { return SetInt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, index); });
  MakesTheKernels("IPV6_TRANSPARENT", AF_INET6,
                  [](int fd) { return SetInt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1); });
}

TEST_F(Option, OfAConnectionThatHasItAlreadyIsTaken) {
  const int fd = Open("ECHO");
  EXPECT_EQ(SetInt(fd, SOL_SOCKET, SO_OOBINLINE, 1), 0);
  EXPECT_EQ(SetInt(fd, SOL_SOCKET, SO_RCVLOWAT, 2), 0);
  Echoes(fd, "as ever");
  close(fd);
}

TEST_F(Option, LingersUntilDelivered) {
  const int fd = Open("SINK");
  const linger wait = {1, 10};
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait)), 0);
  linger shown{};
  socklen_t length = sizeof(shown);
  ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &shown, &length), 0);
  EXPECT_EQ(shown.l_onoff, 1);
  EXPECT_EQ(shown.l_linger, 10);
  const std::string data = Pattern(0, 100'000);
  Say(fd, data);
  EXPECT_EQ(close(fd), 0);
  const std::string whole = "SINK 100000 " + std::to_string(Sum(0, data)) + " 0";
  EXPECT_EQ(AwaitEnd([&](const std::string& end) { return end == whole; }), whole);
}

TEST_F(Option, NoTimeToLingerIsAReset) {
  const int fd = Open("SINK");
  Say(fd, "x");
  // The far end has read it: a reset may take what is on its way along.
  usleep(100'000);
  const linger none = {1, 0};
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
  EXPECT_EQ(close(fd), 0);
  const std::string reset = ' ' + std::to_string(ECONNRESET);
  const auto is_reset = [&](const std::string& end) { return end.ends_with(reset); };
  const std::string end = AwaitEnd(is_reset);
  EXPECT_TRUE(is_reset(end)) << end;
}

TEST_F(Option, BindresvportBindsAsBindDoes) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in local{};
  local.sin_family = AF_INET;
  if (bindresvport(fd, &local) != 0) {
    close(fd);
    GTEST_SKIP() << "needs a port below 1024: " << strerror(errno);
  }
  const sockaddr_in peer = Peer();
  ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)), 0)
      << strerror(errno);
  EXPECT_EQ(IsVirtual(fd), ExpectsNetChannel());
  sockaddr_in shown{};
  socklen_t length = sizeof(shown);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&shown), &length), 0);
  EXPECT_LT(ntohs(shown.sin_port), 1024);
  close(fd);
}

}  // namespace
