// SPDX-License-Identifier: Apache-2.0
//
// poll, select and epoll, on sockets alone and among other descriptors.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/time.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <vector>

#include "calls_fixture.h"

namespace {

class Readiness : public Calls {
 protected:
  static epoll_event Event(uint32_t events, uint64_t data) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    return event;
  }
  static int Control(int epoll, int op, int fd, uint32_t events, uint64_t data = 0) {
    epoll_event event = Event(events, data);
    return epoll_ctl(epoll, op, fd, &event);
  }
  // All events of one wait, by data.
  static std::map<uint64_t, uint32_t> Wait(int epoll, int timeout_ms) {
    epoll_event events[64];
    const int count = epoll_wait(epoll, events, 64, timeout_ms);
    EXPECT_GE(count, 0) << strerror(errno);
    std::map<uint64_t, uint32_t> found;
    for (int i = 0; i < count; ++i) found[events[i].data.u64] |= events[i].events;
    return found;
  }
  // Whether `wanted` comes for `data`, among what else may be ready all the time.
  static bool SeesIn(int epoll, uint64_t data, uint32_t wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (std::chrono::steady_clock::now() < deadline) {
      const auto found = Wait(epoll, 5000);
      const auto event = found.find(data);
      if (event != found.end() && (event->second & wanted) != 0) return true;
    }
    return false;
  }
};

TEST_F(Readiness, PollSeesSocketsAndPipes) {
  const int fd = Open("ECHO");
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  pollfd fds[] = {{fd, POLLIN, 0}, {pipes[0], POLLIN, 0}, {-1, POLLIN, 0}, {fd, POLLOUT, 0}};
  EXPECT_EQ(poll(fds, 4, -1), 1);
  EXPECT_EQ(fds[3].revents, POLLOUT);
  EXPECT_EQ(poll(fds, 3, 20), 0);
  ASSERT_EQ(write(pipes[1], "p", 1), 1);
  EXPECT_EQ(poll(fds, 3, -1), 1);
  EXPECT_EQ(fds[1].revents, POLLIN);
  Say(fd, "s");
  ASSERT_TRUE(Ready(fd, POLLIN));
  EXPECT_EQ(poll(fds, 3, -1), 2);
  EXPECT_EQ(fds[0].revents, POLLIN);
  Read(pipes[0], 1);
  EXPECT_EQ(poll(fds, 3, 0), 1);
  Read(fd, 1);
  EXPECT_EQ(poll(fds, 3, 0), 0);
  fds[2].fd = 9999;
  EXPECT_EQ(poll(fds, 3, 0), 1);
  EXPECT_EQ(fds[2].revents, POLLNVAL);
  close(fd);
  close(pipes[0]);
  close(pipes[1]);
}

TEST_F(Readiness, PollWakesForEitherKind) {
  const int fd = Open("ECHO");
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> asleep{false};
    std::thread other([&] {
      while (!asleep.load()) std::this_thread::yield();
      if (round % 2 == 0) {
        EXPECT_EQ(write(fd, "x", 1), 1);  // comes back as an echo
      } else {
        EXPECT_EQ(write(pipes[1], "x", 1), 1);
      }
    });
    pollfd fds[] = {{fd, POLLIN, 0}, {pipes[0], POLLIN, 0}};
    asleep.store(true);
    ASSERT_EQ(poll(fds, 2, 10'000), 1);
    const int from = fds[0].revents != 0 ? fd : pipes[0];
    EXPECT_EQ(from, round % 2 == 0 ? fd : pipes[0]);
    EXPECT_EQ(Read(from, 1), "x");
    other.join();
  }
  close(fd);
  close(pipes[0]);
  close(pipes[1]);
}

TEST_F(Readiness, SelectSaysHowMuchTimeIsLeft) {
  const int fd = Open("ECHO");
  fd_set readers, writers;
  FD_ZERO(&readers);
  FD_ZERO(&writers);
  FD_SET(fd, &readers);
  FD_SET(fd, &writers);
  timeval time = {10, 0};
  EXPECT_EQ(select(fd + 1, &readers, &writers, nullptr, &time), 1);
  EXPECT_FALSE(FD_ISSET(fd, &readers));
  EXPECT_TRUE(FD_ISSET(fd, &writers));
  EXPECT_GE(time.tv_sec, 9);
  FD_SET(fd, &readers);
  time = {0, 20'000};
  EXPECT_EQ(select(fd + 1, &readers, nullptr, nullptr, &time), 0);
  EXPECT_FALSE(FD_ISSET(fd, &readers));
  EXPECT_EQ(time.tv_sec * 1'000'000 + time.tv_usec, 0);
  Say(fd, "s");
  FD_SET(fd, &readers);
  EXPECT_EQ(select(fd + 1, &readers, nullptr, nullptr, nullptr), 1);
  EXPECT_TRUE(FD_ISSET(fd, &readers));
  close(fd);
}

TEST_F(Readiness, LevelTriggeredEpollReportsUntilRead) {
  const int fd = Open("ECHO"), epoll = epoll_create1(0);
  ASSERT_EQ(Control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 7), 0);
  EXPECT_EQ(Control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 7), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_TRUE(Wait(epoll, 20).empty());
  Say(fd, "abc");
  EXPECT_EQ(Wait(epoll, 5000), (std::map<uint64_t, uint32_t>{{7, EPOLLIN}}));
  EXPECT_EQ(Wait(epoll, 0), (std::map<uint64_t, uint32_t>{{7, EPOLLIN}}));
  EXPECT_EQ(Read(fd, 3), "abc");
  EXPECT_TRUE(Wait(epoll, 0).empty());
  ASSERT_EQ(Control(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT, 8), 0);
  EXPECT_EQ(Wait(epoll, 5000), (std::map<uint64_t, uint32_t>{{8, EPOLLOUT}}));
  ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr), 0);
  EXPECT_TRUE(Wait(epoll, 0).empty());
  EXPECT_EQ(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr), -1);
  EXPECT_EQ(errno, ENOENT);
  close(fd);
  close(epoll);
}

TEST_F(Readiness, EdgeTriggeredEpollReportsNews) {
  const int fd = Open("ECHO"), epoll = epoll_create1(0);
  ASSERT_EQ(Control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, 1), 0);
  Say(fd, "a");
  EXPECT_EQ(Wait(epoll, 5000).size(), 1u);
  EXPECT_TRUE(Wait(epoll, 20).empty());
  Say(fd, "b");
  EXPECT_EQ(Wait(epoll, 5000).size(), 1u);
  EXPECT_EQ(Read(fd, 2), "ab");
  EXPECT_TRUE(Wait(epoll, 20).empty());
  close(fd);
  close(epoll);
}

TEST_F(Readiness, OneShotEpollReportsOnce) {
  const int fd = Open("ECHO"), epoll = epoll_create1(0);
  ASSERT_EQ(Control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 1), 0);
  Say(fd, "a");
  EXPECT_EQ(Wait(epoll, 5000).size(), 1u);
  Say(fd, "b");
  EXPECT_TRUE(Wait(epoll, 50).empty());
  ASSERT_EQ(Control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 2), 0);
  EXPECT_EQ(Wait(epoll, 5000), (std::map<uint64_t, uint32_t>{{2, EPOLLIN}}));
  close(fd);
  close(epoll);
}

TEST_F(Readiness, EpollWaitsInAllItsForms) {
  const int fd = Open("ECHO"), epoll = epoll_create1(0);
  ASSERT_EQ(Control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE, 3), 0) << strerror(errno);
  EXPECT_EQ(Control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 3), -1);
  EXPECT_EQ(errno, EINVAL);
  epoll_event event{};
  sigset_t none;
  sigemptyset(&none);
  const timespec soon = {0, 1'000'000}, late = {5, 0};
  EXPECT_EQ(epoll_pwait(epoll, &event, 1, 1, &none), 0);
  EXPECT_EQ(epoll_pwait2(epoll, &event, 1, &soon, &none), 0);
  Say(fd, "x");
  ASSERT_EQ(epoll_pwait(epoll, &event, 1, 5000, &none), 1);
  EXPECT_EQ(event.data.u64, 3u);
  ASSERT_EQ(epoll_pwait2(epoll, &event, 1, &late, nullptr), 1);
  EXPECT_EQ(event.events, uint32_t{EPOLLIN});
  close(fd);
  close(epoll);
}

TEST_F(Readiness, OnlyAnEpollInstanceTakesASocket) {
  const int fd = Open("ECHO"), counter = eventfd(0, 0);
  EXPECT_EQ(Control(counter, EPOLL_CTL_ADD, fd, EPOLLIN), -1);
  EXPECT_EQ(errno, EINVAL);
  // It is an eventfd still.
  ASSERT_EQ(eventfd_write(counter, 2), 0);
  eventfd_t value = 0;
  EXPECT_EQ(eventfd_read(counter, &value), 0);
  EXPECT_EQ(value, 2u);
  EXPECT_EQ(close(counter), 0);
  EXPECT_EQ(Control(counter, EPOLL_CTL_ADD, fd, EPOLLIN), -1);
  EXPECT_EQ(errno, EBADF);
  close(fd);
}

TEST_F(Readiness, EpollMixesKindsAndNests) {
  const int fd = Open("ECHO"), inner = epoll_create1(0), outer = epoll_create1(0);
  const int counter = eventfd(0, 0);
  ASSERT_EQ(Control(inner, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
  ASSERT_EQ(Control(inner, EPOLL_CTL_ADD, counter, EPOLLIN, 2), 0);
  ASSERT_EQ(Control(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 3), 0);
  // From outside it may look ready before it is, but not for ever.
  for (int i = 0; i < 100 && !Wait(outer, 20).empty(); ++i) EXPECT_TRUE(Wait(inner, 0).empty());
  EXPECT_TRUE(Wait(outer, 20).empty());
  Say(fd, "s");
  std::map<uint64_t, uint32_t> found;
  while (found.empty()) {
    ASSERT_EQ(Wait(outer, 5000).size(), 1u);
    found = Wait(inner, 0);
  }
  EXPECT_EQ(found, (std::map<uint64_t, uint32_t>{{1, EPOLLIN}}));
  ASSERT_EQ(eventfd_write(counter, 1), 0);
  for (int i = 0; i < 100 && found.size() < 2; ++i) found.merge(Wait(inner, 0));
  EXPECT_EQ(found.size(), 2u);
  EXPECT_TRUE(Ready(inner, POLLIN));
  close(fd);
  close(counter);
  close(inner);
  close(outer);
}

TEST_F(Readiness, EpollKnowsASocketFromBeforeItConnects) {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{EPOLLET}}) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
    const sockaddr_in peer = Peer();
    const int result = connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer));
    if (result != 0) {
      ASSERT_EQ(errno, EINPROGRESS);
    }
    ASSERT_EQ(Control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | flags, 5), 0);
    const auto found = Wait(epoll, 5000);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found.at(5), EPOLLOUT);
    Say(fd, "ECHO\nx");
    // Level-triggered, there is room to write all the time.
    EXPECT_TRUE(SeesIn(epoll, 5, EPOLLIN));
    EXPECT_EQ(Read(fd, 1), "x");
    close(fd);
    close(epoll);
  }
}

TEST_F(Readiness, EpollTellsOfRefusal) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
  sockaddr_in peer = Peer();
  peer.sin_port = htons(1);
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer));
  ASSERT_EQ(result, -1);
  if (errno == EINPROGRESS) {
    ASSERT_EQ(Control(epoll, EPOLL_CTL_ADD, fd, EPOLLOUT, 5), 0);
    const auto found = Wait(epoll, 5000);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_NE(found.at(5) & (EPOLLERR | EPOLLHUP), 0u);
    int error = 0;
    socklen_t length = sizeof(error);
    ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    EXPECT_EQ(error, ECONNREFUSED);
  }
  close(fd);
  close(epoll);
}

TEST_F(Readiness, EpollTakesACopyOfADescriptorToo) {
  const int fd = Open("ECHO"), copy = dup(fd), epoll = epoll_create1(0);
  ASSERT_EQ(Control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
  ASSERT_EQ(Control(epoll, EPOLL_CTL_ADD, copy, EPOLLOUT, 2), 0);
  EXPECT_EQ(Wait(epoll, 5000), (std::map<uint64_t, uint32_t>{{2, EPOLLOUT}}));
  Say(copy, "x");
  EXPECT_TRUE(SeesIn(epoll, 1, EPOLLIN));
  EXPECT_TRUE(SeesIn(epoll, 2, EPOLLOUT));
  close(copy);
  EXPECT_EQ(Read(fd, 1), "x");
  close(fd);
  close(epoll);
}

TEST_F(Readiness, EpollTellsWhenRoomComes) {
  const int fd = Open("ECHO"), epoll = epoll_create1(0);
  ASSERT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  ASSERT_EQ(Control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET, 1), 0);
  const size_t total = 4'000'000;
  const std::string data = Pattern(0, total);
  std::string back;
  size_t sent = 0;
  bool can_write = false, can_read = false;
  while (back.size() < total) {
    if (!(can_write && sent < total) && !can_read) {
      const auto found = Wait(epoll, 10'000);
      ASSERT_FALSE(found.empty()) << sent << " sent, " << back.size() << " back";
      can_write = can_write || (found.at(1) & EPOLLOUT) != 0;
      can_read = can_read || (found.at(1) & EPOLLIN) != 0;
    }
    if (can_write && sent < total) {
      const ssize_t one = write(fd, data.data() + sent, std::min<size_t>(total - sent, 100'000));
      if (one < 0) can_write = false;
      if (one > 0) sent += static_cast<size_t>(one);
    }
    if (can_read) {
      char block[65536];
      const ssize_t one = read(fd, block, sizeof(block));
      if (one < 0) can_read = false;
      if (one > 0) back.append(block, static_cast<size_t>(one));
    }
  }
  EXPECT_EQ(Sum(0, back), Sum(0, data));
  close(fd);
  close(epoll);
}

TEST_F(Readiness, ListenerIsReadyForAConnection) {
  uint16_t port;
  const int listener = Listen(&port, SOCK_NONBLOCK), epoll = epoll_create1(0);
  ASSERT_EQ(Control(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, 1), 0);
  EXPECT_EQ(accept(listener, nullptr, nullptr), -1);
  EXPECT_EQ(errno, EAGAIN);
  for (int round = 0; round < 3; ++round) {
    const int asked = CallMe(port, "called");
    ASSERT_EQ(Wait(epoll, 5000), (std::map<uint64_t, uint32_t>{{1, EPOLLIN}}));
    ASSERT_TRUE(Ready(listener, POLLIN));
    const int accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ASSERT_GE(accepted, 0);
    EXPECT_EQ(IsVirtual(accepted), ExpectsNetChannel());
    EXPECT_EQ(fcntl(accepted, F_GETFD), FD_CLOEXEC);
    EXPECT_NE(fcntl(accepted, F_GETFL) & O_NONBLOCK, 0);
    ASSERT_TRUE(Ready(accepted, POLLIN));
    EXPECT_EQ(Read(accepted, 6), "called");
    close(accepted);
    close(asked);
  }
  close(listener);
  close(epoll);
}

volatile sig_atomic_t alarms = 0;
void CountAlarm(int) { alarms = alarms + 1; }

class Interrupted : public Readiness {
 protected:
  void SetUp() override { alarms = 0; }
  void TearDown() override {
    const itimerval off{};
    setitimer(ITIMER_REAL, &off, nullptr);
    signal(SIGALRM, SIG_DFL);
  }
  static void AlarmEach(int milliseconds, int flags) {
    struct sigaction action {};
    action.sa_handler = &CountAlarm;
    action.sa_flags = flags;
    sigaction(SIGALRM, &action, nullptr);
    const itimerval timer = {{0, milliseconds * 1000}, {0, milliseconds * 1000}};
    setitimer(ITIMER_REAL, &timer, nullptr);
  }
};

TEST_F(Interrupted, SignalsEndWaitsWhateverTheirHandlersSay) {
  const int fd = Open("ECHO"), epoll = epoll_create1(0);
  ASSERT_EQ(Control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
  AlarmEach(20, SA_RESTART);
  pollfd waiting = {fd, POLLIN, 0};
  EXPECT_EQ(poll(&waiting, 1, -1), -1);
  EXPECT_EQ(errno, EINTR);
  pollfd both[] = {{fd, POLLIN, 0}, {0, 0, 0}};
  EXPECT_EQ(poll(both, 2, -1), -1);
  EXPECT_EQ(errno, EINTR);
  fd_set readers;
  FD_ZERO(&readers);
  FD_SET(fd, &readers);
  EXPECT_EQ(select(fd + 1, &readers, nullptr, nullptr, nullptr), -1);
  EXPECT_EQ(errno, EINTR);
  epoll_event event;
  EXPECT_EQ(epoll_wait(epoll, &event, 1, -1), -1);
  EXPECT_EQ(errno, EINTR);
  close(fd);
  close(epoll);
}

TEST_F(Interrupted, ReadIsRestartedOnlyWithSaRestart) {
  const int fd = Open("ECHO");
  AlarmEach(20, 0);
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), -1);
  EXPECT_EQ(errno, EINTR);
  AlarmEach(20, SA_RESTART);
  alarms = 0;
  std::thread other([fd] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (alarms < 3) std::this_thread::yield();
    EXPECT_EQ(write(fd, "x", 1), 1);
  });
  EXPECT_EQ(read(fd, &byte, 1), 1) << strerror(errno);
  other.join();
  close(fd);
}

TEST_F(Interrupted, AcceptIsRestartedOnlyWithSaRestart) {
  uint16_t port;
  const int listener = Listen(&port);
  AlarmEach(20, 0);
  EXPECT_EQ(accept(listener, nullptr, nullptr), -1);
  EXPECT_EQ(errno, EINTR);
  AlarmEach(20, SA_RESTART);
  alarms = 0;
  std::atomic<int> asked{-1};
  std::thread other([&] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (alarms < 3) std::this_thread::yield();
    asked.store(CallMe(port, "x"));
  });
  const int accepted = accept(listener, nullptr, nullptr);
  EXPECT_GE(accepted, 0) << strerror(errno);
  other.join();
  close(accepted);
  close(asked.load());
  close(listener);
}

TEST_F(Interrupted, MasksLetSignalsInWhileWaiting) {
  const int fd = Open("ECHO");
  sigset_t blocked, none;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGALRM);
  sigemptyset(&none);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &blocked, nullptr), 0);
  AlarmEach(20, SA_RESTART);
  pollfd waiting = {fd, POLLIN, 0};
  EXPECT_EQ(ppoll(&waiting, 1, nullptr, &none), -1);
  EXPECT_EQ(errno, EINTR);
  fd_set readers;
  FD_ZERO(&readers);
  FD_SET(fd, &readers);
  EXPECT_EQ(pselect(fd + 1, &readers, nullptr, nullptr, nullptr, &none), -1);
  EXPECT_EQ(errno, EINTR);
  ASSERT_EQ(pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr), 0);
  close(fd);
}

}  // namespace
