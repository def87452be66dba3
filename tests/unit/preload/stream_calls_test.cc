// SPDX-License-Identifier: Apache-2.0
//
// Connecting, moving bytes, half-closing, errors.
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "calls_fixture.h"

namespace {

using Stream = Calls;

TEST_F(Stream, ConnectsAndEchoes) {
  const int fd = Open("ECHO");
  Echoes(fd, "hello");
  sockaddr_in peer{}, local{};
  socklen_t length = sizeof(peer);
  ASSERT_EQ(getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length), 0);
  EXPECT_EQ(length, sizeof(peer));
  EXPECT_EQ(peer.sin_port, Peer().sin_port);
  EXPECT_EQ(peer.sin_addr.s_addr, Peer().sin_addr.s_addr);
  length = sizeof(local);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length), 0);
  EXPECT_EQ(local.sin_addr.s_addr, Address("TEST_SELF", 0).sin_addr.s_addr);
  EXPECT_NE(local.sin_port, 0);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)), -1);
  EXPECT_EQ(errno, EISCONN);
  close(fd);
}

TEST_F(Stream, ConnectsThroughAnIpv6SocketWithAMappedAddress) {
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 peer{};
  peer.sin6_family = AF_INET6;
  peer.sin6_port = Peer().sin_port;
  const std::string mapped = std::string("::ffff:") + getenv("TEST_PEER");
  inet_pton(AF_INET6, mapped.c_str(), &peer.sin6_addr);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)), 0) << strerror(errno);
  EXPECT_EQ(IsVirtual(fd), ExpectsNetChannel());
  Say(fd, "ECHO\n");
  Echoes(fd, "mapped");
  sockaddr_in6 shown{};
  socklen_t length = sizeof(shown);
  ASSERT_EQ(getpeername(fd, reinterpret_cast<sockaddr*>(&shown), &length), 0);
  EXPECT_EQ(length, sizeof(shown));
  EXPECT_EQ(shown.sin6_family, AF_INET6);
  EXPECT_EQ(std::memcmp(&shown.sin6_addr, &peer.sin6_addr, sizeof(peer.sin6_addr)), 0);
  close(fd);
}

TEST_F(Stream, ConnectsWithoutBlocking) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const sockaddr_in peer = Peer();
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer));
  if (result != 0) {
    ASSERT_EQ(errno, EINPROGRESS);
  }
  ASSERT_TRUE(Ready(fd, POLLOUT));
  int error = -1;
  socklen_t length = sizeof(error);
  ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
  EXPECT_EQ(error, 0);
  EXPECT_EQ(IsVirtual(fd), ExpectsNetChannel());
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  Say(fd, "ECHO\nhi");
  ASSERT_TRUE(Ready(fd, POLLIN));
  EXPECT_EQ(Read(fd, 2), "hi");
  close(fd);
}

TEST_F(Stream, IsRefusedWhereNobodyListens) {
  sockaddr_in peer = Peer();
  peer.sin_port = htons(1);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  close(fd);
  fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)), -1);
  if (errno == EINPROGRESS) {
    ASSERT_TRUE(Ready(fd, POLLOUT));
    int error = 0;
    socklen_t length = sizeof(error);
    ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    EXPECT_EQ(error, ECONNREFUSED);
  } else {
    EXPECT_EQ(errno, ECONNREFUSED);
  }
  close(fd);
}

TEST_F(Stream, MovesVectorsAndMessages) {
  const int fd = Open("ECHO");
  char a[] = "one ", b[] = "two ";
  const iovec parts[] = {{a, 4}, {b, 4}};
  EXPECT_EQ(writev(fd, parts, 2), 8);
  EXPECT_EQ(pwritev2(fd, parts, 2, -1, 0), 8);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = 2;
  EXPECT_EQ(sendmsg(fd, &message, MSG_NOSIGNAL), 8);
  mmsghdr several[2] = {{message, 0}, {message, 0}};
  EXPECT_EQ(sendmmsg(fd, several, 2, 0), 2);
  EXPECT_EQ(several[1].msg_len, 8u);
  ASSERT_EQ(sendto(fd, "three", 5, 0, nullptr, 0), 5);
  const std::string expected = "one two one two one two one two one two three";
  char x[4], y[4];
  const iovec into[] = {{x, 4}, {y, 4}};
  ASSERT_TRUE(Ready(fd, POLLIN));
  msghdr arriving{};
  char control[64];
  sockaddr_in from{};
  arriving.msg_iov = const_cast<iovec*>(into);
  arriving.msg_iovlen = 2;
  arriving.msg_control = control;
  arriving.msg_controllen = sizeof(control);
  arriving.msg_name = &from;
  arriving.msg_namelen = sizeof(from);
  EXPECT_EQ(recvmsg(fd, &arriving, MSG_WAITALL), 8);
  EXPECT_EQ(arriving.msg_controllen, 0u);
  EXPECT_EQ(arriving.msg_namelen, 0u);
  EXPECT_EQ(std::string(x, 4) + std::string(y, 4), expected.substr(0, 8));
  std::string rest(expected.size() - 8, '\0');
  socklen_t from_length = sizeof(from);
  EXPECT_EQ(recvfrom(fd, rest.data(), rest.size(), MSG_WAITALL, reinterpret_cast<sockaddr*>(&from),
                     &from_length),
            static_cast<ssize_t>(rest.size()));
  EXPECT_EQ(rest, expected.substr(8));
  EXPECT_EQ(pread(fd, x, 1, 0), -1);
  EXPECT_EQ(errno, ESPIPE);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), -1);
  EXPECT_EQ(errno, ESPIPE);
  close(fd);
}

TEST_F(Stream, PeeksCountsAndDiscards) {
  const int fd = Open("ECHO");
  char block[16];
  EXPECT_EQ(recv(fd, block, sizeof(block), MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  Say(fd, "0123456789");
  ASSERT_EQ(recv(fd, block, 10, MSG_PEEK | MSG_WAITALL), 10);
  int queued = 0;
  ASSERT_EQ(ioctl(fd, FIONREAD, &queued), 0);
  EXPECT_EQ(queued, 10);
  EXPECT_EQ(recv(fd, block, 4, MSG_TRUNC), 4);
  EXPECT_EQ(Read(fd, 6), "456789");
  ASSERT_EQ(ioctl(fd, FIONREAD, &queued), 0);
  EXPECT_EQ(queued, 0);
  ASSERT_EQ(ioctl(fd, SIOCOUTQ, &queued), 0);
  EXPECT_GE(queued, 0);
  ASSERT_EQ(ioctl(fd, SIOCOUTQNSD, &queued), 0);
  EXPECT_GE(queued, 0);
  close(fd);
}

TEST_F(Stream, KeepsItsNonblockingFlag) {
  const int fd = Open("ECHO");
  EXPECT_EQ(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_RDWR);
  ASSERT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  EXPECT_EQ(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_RDWR | O_NONBLOCK);
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  int off = 0;
  ASSERT_EQ(ioctl(fd, FIONBIO, &off), 0);
  EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  Echoes(fd, "blocks again");
  close(fd);
}

TEST_F(Stream, HalfClosesBothWays) {
  int fd = Open("SINK");
  const std::string data = Pattern(0, 3'000'000);
  Say(fd, data);
  ASSERT_EQ(shutdown(fd, SHUT_WR), 0);
  EXPECT_EQ(ReadToEnd(fd), std::to_string(data.size()) + " " + std::to_string(Sum(0, data)) + "\n");
  close(fd);
  fd = Open("FIN");
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), 0);
  Say(fd, "still open this way");
  EXPECT_TRUE(Ready(fd, POLLRDHUP));
  close(fd);
}

TEST_F(Stream, ReceivesWhatWasSentBeforeTheEnd) {
  const int fd = Open("SEND 5000000");
  const std::string got = ReadToEnd(fd);
  EXPECT_EQ(got.size(), 5'000'000u);
  EXPECT_EQ(Sum(0, got), Sum(0, Pattern(0, 5'000'000)));
  close(fd);
}

TEST_F(Stream, TellsOfAReset) {
  const int fd = Open("RESET");
  pollfd waiting = {fd, POLLIN, 0};
  ASSERT_EQ(poll(&waiting, 1, 5000), 1);
  EXPECT_EQ(waiting.revents & (POLLERR | POLLHUP | POLLIN), POLLERR | POLLHUP | POLLIN);
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), -1);
  EXPECT_EQ(errno, ECONNRESET);
  signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(write(fd, "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  signal(SIGPIPE, SIG_DFL);
  close(fd);
}

volatile sig_atomic_t pipes = 0;
void CountPipe(int) { pipes = pipes + 1; }

TEST_F(Stream, RaisesSigpipeUnlessAskedNotTo) {
  const int fd = Open("ECHO");
  pipes = 0;
  ASSERT_EQ(shutdown(fd, SHUT_WR), 0);
  signal(SIGPIPE, &CountPipe);
  EXPECT_EQ(send(fd, "x", 1, MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(pipes, 0);
  EXPECT_EQ(write(fd, "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(pipes, 1);
  signal(SIGPIPE, SIG_DFL);
  close(fd);
}

TEST_F(Stream, FillsAndDrains) {
  const int fd = Open("HOLD");
  ASSERT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  const std::string block(65536, 'f');
  size_t sent = 0;
  for (;;) {
    const ssize_t one = write(fd, block.data(), block.size());
    if (one < 0) {
      ASSERT_EQ(errno, EAGAIN);
      // Room may come while the far end's buffer fills.
      if (!Ready(fd, POLLOUT, 300)) break;
      continue;
    }
    sent += static_cast<size_t>(one);
    ASSERT_LT(sent, 1u << 30);
  }
  EXPECT_GT(sent, 100'000u);
  close(fd);
}

TEST_F(Stream, TimesOutAsAsked) {
  const int fd = Open("ECHO");
  const timeval time = {0, 50'000};
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)), 0);
  timeval shown{};
  socklen_t length = sizeof(shown);
  ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &shown, &length), 0);
  EXPECT_EQ(shown.tv_sec, 0);
  EXPECT_NEAR(static_cast<double>(shown.tv_usec), 50'000, 5'000);
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  close(fd);
}

TEST_F(Stream, KeepsItsOptions) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1, idle = 77, user_timeout = 12'345;
  ASSERT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), 0);
  ASSERT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)), 0);
  const sockaddr_in peer = Peer();
  ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)), 0);
  ASSERT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(int)), 0);
  const auto get = [fd](int level, int name) {
    int value = -1;
    socklen_t length = sizeof(value);
    EXPECT_EQ(getsockopt(fd, level, name, &value, &length), 0) << level << " " << name;
    return value;
  };
  EXPECT_NE(get(IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_NE(get(SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPIDLE), idle);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_USER_TIMEOUT), user_timeout);
  EXPECT_EQ(get(SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  EXPECT_EQ(get(SOL_SOCKET, SO_DOMAIN), AF_INET);
  EXPECT_EQ(get(SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
  EXPECT_EQ(get(SOL_SOCKET, SO_ACCEPTCONN), 0);
  EXPECT_GT(get(SOL_SOCKET, SO_SNDBUF), 0);
  EXPECT_GT(get(SOL_SOCKET, SO_RCVBUF), 0);
  EXPECT_GT(get(IPPROTO_TCP, TCP_MAXSEG), 0);
  const int tos = 0x10;
  ASSERT_EQ(setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 0);
  EXPECT_EQ(get(IPPROTO_IP, IP_TOS), tos);
  char name[16] = {};
  socklen_t length = sizeof(name);
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
  EXPECT_NE(name[0], '\0');
  tcp_info info{};
  length = sizeof(info);
  ASSERT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  EXPECT_EQ(info.tcpi_state, TCP_ESTABLISHED);
  EXPECT_EQ(setsockopt(fd, SOL_SOCKET, 9999, &on, sizeof(on)), -1);
  EXPECT_EQ(errno, ENOPROTOOPT);
  close(fd);
}

TEST_F(Stream, WorksThroughSystemCallsByNumber) {
  const int fd = Open("ECHO");
  ASSERT_EQ(syscall(SYS_write, fd, "number", 6), 6);
  char block[6];
  ASSERT_TRUE(Ready(fd, POLLIN));
  ASSERT_EQ(syscall(SYS_read, fd, block, 6), 6);
  EXPECT_EQ(std::string(block, 6), "number");
  EXPECT_EQ(syscall(SYS_close, fd), 0);
  EXPECT_EQ(write(fd, "x", 1), -1);
  EXPECT_EQ(errno, EBADF);
}

}  // namespace
