// SPDX-License-Identifier: Apache-2.0
//
// Vectors and messages on the receiving side, and what _FORTIFY_SOURCE makes of calls.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "calls_fixture.h"

// As the compiler calls them: a call with a buffer of known size.
extern "C" {
ssize_t __read_chk(int fd, void* data, size_t length, size_t room);
ssize_t __recv_chk(int fd, void* data, size_t length, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void* data, size_t length, size_t room, int flags,
                       struct sockaddr* from, socklen_t* from_length);
int __poll_chk(struct pollfd* fds, nfds_t count, int timeout, size_t room);
int __ppoll_chk(struct pollfd* fds, nfds_t count, const struct timespec* timeout,
                const sigset_t* mask, size_t room);
int __dprintf_chk(int fd, int flag, const char* format, ...);
}

namespace {

using Message = Calls;

TEST_F(Message, FortifiedCallsReadAndPoll) {
  const int fd = Open("ECHO");
  ASSERT_EQ(__dprintf_chk(fd, 1, "%s%d", "fortified", 123), 12);
  pollfd waiting = {fd, POLLIN, 0};
  ASSERT_EQ(__poll_chk(&waiting, 1, 5000, sizeof(waiting)), 1);
  const timespec limit = {5, 0};
  ASSERT_EQ(__ppoll_chk(&waiting, 1, &limit, nullptr, sizeof(waiting)), 1);
  char block[4];
  EXPECT_EQ(__read_chk(fd, block, 4, sizeof(block)), 4);
  EXPECT_EQ(std::string(block, 4), "fort");
  EXPECT_EQ(__recv_chk(fd, block, 4, sizeof(block), MSG_WAITALL), 4);
  EXPECT_EQ(std::string(block, 4), "ifie");
  EXPECT_EQ(__recvfrom_chk(fd, block, 4, sizeof(block), MSG_WAITALL, nullptr, nullptr), 4);
  EXPECT_EQ(std::string(block, 4), "d123");
  close(fd);
}

TEST_F(Message, FortifiedCallsSeeABufferThatIsTooSmall) {
  const int fd = Open("ECHO");
  char block[4];
  for (const bool reads : {true, false}) {
    const pid_t child = fork();
    if (child == 0) {
      close(2);  // libc says so
      if (reads) {
        _exit(static_cast<int>(__read_chk(fd, block, 5, sizeof(block))));
      }
      _exit(static_cast<int>(__recv_chk(fd, block, 5, sizeof(block), 0)));
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGABRT);
  }
  close(fd);
}

TEST_F(Message, ArrivesInVectors) {
  const int fd = Open("ECHO");
  Say(fd, "0123456789abcdef");
  char x[4], y[4];
  const iovec into[] = {{x, 4}, {y, 4}};
  char all[16];
  ASSERT_EQ(recv(fd, all, 16, MSG_PEEK | MSG_WAITALL), 16);
  EXPECT_EQ(readv(fd, into, 2), 8);
  EXPECT_EQ(std::string(x, 4) + std::string(y, 4), "01234567");
  EXPECT_EQ(preadv2(fd, into, 2, -1, 0), 8);
  EXPECT_EQ(std::string(x, 4) + std::string(y, 4), "89abcdef");
  EXPECT_EQ(preadv2(fd, into, 2, -1, RWF_NOWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(preadv2(fd, into, 2, 0, 0), -1);
  EXPECT_EQ(errno, ESPIPE);
  close(fd);
}

TEST_F(Message, SeveralArriveAtOnce) {
  const int fd = Open("ECHO");
  Say(fd, "01234567");
  char all[8];
  ASSERT_EQ(recv(fd, all, 8, MSG_PEEK | MSG_WAITALL), 8);
  char x[4], y[4], z[4];
  iovec parts[] = {{x, 4}, {y, 4}, {z, 4}};
  mmsghdr messages[3] = {};
  for (int i = 0; i < 3; ++i) {
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  EXPECT_EQ(recvmmsg(fd, messages, 3, MSG_WAITFORONE, nullptr), 2);
  EXPECT_EQ(messages[0].msg_len, 4u);
  EXPECT_EQ(messages[1].msg_len, 4u);
  EXPECT_EQ(std::string(x, 4) + std::string(y, 4), "01234567");
  EXPECT_EQ(recvmmsg(fd, messages, 3, MSG_DONTWAIT, nullptr), -1);
  EXPECT_EQ(errno, EAGAIN);
  close(fd);
}

TEST_F(Message, FlagsWithoutAMeaningAreIgnored) {
  const int fd = Open("ECHO");
  constexpr int kUnknown = 0x01000000;
  EXPECT_EQ(send(fd, "x", 1, kUnknown | MSG_NOSIGNAL), 1);
  char byte;
  EXPECT_EQ(recv(fd, &byte, 1, kUnknown), 1);
  EXPECT_EQ(byte, 'x');
  close(fd);
}

TEST_F(Message, TravelsBySystemCallsByNumber) {
  uint16_t port;
  const int listener = Listen(&port);
  const int asked = CallMe(port, "hello");
  pollfd waiting = {listener, POLLIN, 0};
#ifdef SYS_poll
  ASSERT_EQ(syscall(SYS_poll, &waiting, 1, 5000), 1);
#else
  ASSERT_EQ(poll(&waiting, 1, 5000), 1);
#endif
  const auto fd = static_cast<int>(syscall(SYS_accept4, listener, nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_GE(fd, 0) << strerror(errno);
  EXPECT_EQ(IsVirtual(fd), ExpectsNetChannel());
  const int epoll = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 5;
  ASSERT_EQ(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &event), 0);
  epoll_event found{};
  ASSERT_EQ(syscall(SYS_epoll_pwait, epoll, &found, 1, 5000, nullptr, 8), 1);
  EXPECT_EQ(found.data.u64, 5u);
  char text[5];
  iovec part = {text, sizeof(text)};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ASSERT_EQ(syscall(SYS_recvmsg, fd, &message, MSG_WAITALL), 5);
  EXPECT_EQ(std::string(text, 5), "hello");
  ASSERT_EQ(syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL), 5);
  EXPECT_EQ(syscall(SYS_close, fd), 0);
  close(epoll);
  close(asked);
  close(listener);
}

}  // namespace
