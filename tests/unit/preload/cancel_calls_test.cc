// SPDX-License-Identifier: Apache-2.0
//
// Calls that block are cancellation points, and leave all that others use as it was.
#include <pthread.h>
#include <sys/epoll.h>

#include <atomic>
#include <thread>

#include "calls_fixture.h"

namespace {

class Cancelled : public Calls {
 protected:
  struct Blocked {
    void (*call)(int fd);
    int fd;
    std::atomic<bool> started{false};
  };
  // A thread in `call`, which does not come back by itself, ends when it is cancelled: whether it
  // waits already, or is about to.
  static void Ends(int fd, void (*call)(int fd)) {
    for (const useconds_t patience : {0u, 50'000u}) {
      Blocked blocked{call, fd};
      pthread_t thread;
      const auto run = [](void* argument) -> void* {
        auto* const of = static_cast<Blocked*>(argument);
        of->started.store(true);
        for (;;) of->call(of->fd);
        return nullptr;
      };
      ASSERT_EQ(pthread_create(&thread, nullptr, run, &blocked), 0);
      while (!blocked.started.load()) std::this_thread::yield();
      usleep(patience);
      ASSERT_EQ(pthread_cancel(thread), 0);
      void* result = nullptr;
      ASSERT_EQ(pthread_join(thread, &result), 0);
      EXPECT_EQ(result, PTHREAD_CANCELED);
    }
  }
};

TEST_F(Cancelled, Accept) {
  uint16_t port;
  const int listener = Listen(&port);
  Ends(listener, [](int fd) { accept(fd, nullptr, nullptr); });
  const int asked = CallMe(port, "hello");
  const int accepted = accept(listener, nullptr, nullptr);
  EXPECT_EQ(Read(accepted, 5), "hello");
  close(accepted);
  close(asked);
  close(listener);
}

TEST_F(Cancelled, Poll) {
  const int fd = Open("ECHO");
  Ends(fd, [](int of) {
    pollfd waiting = {of, POLLIN, 0};
    poll(&waiting, 1, -1);
  });
  Ends(fd, [](int of) {
    pollfd waiting[] = {{of, POLLIN, 0}, {of, POLLPRI, 0}};
    poll(waiting, 2, -1);
  });
  Echoes(fd, "usable after that");
  close(fd);
}

TEST_F(Cancelled, EpollWait) {
  const int fd = Open("ECHO"), epoll = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
  Ends(epoll, [](int of) {
    epoll_event found;
    epoll_wait(of, &found, 1, -1);
  });
  Say(fd, "x");
  ASSERT_EQ(epoll_wait(epoll, &event, 1, 5000), 1);
  close(epoll);
  close(fd);
}

TEST_F(Cancelled, Write) {
  const int fd = Open("HOLD");
  Ends(fd, [](int of) {
    static char block[65536];
    if (write(of, block, sizeof(block)) < 0) pause();
  });
  EXPECT_TRUE(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
  close(fd);
}

}  // namespace
