/* SPDX-License-Identifier: Apache-2.0 */
/* usage: echo_epoll_fork ADDRESS PORT: echoes, with edge-triggered epoll and a process a
 * connection. */
#include <sys/epoll.h>

#include "echo.h"

static int watch(int fd, uint32_t events) {
  const int set = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = events | EPOLLET, .data = {.fd = fd}};
  if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll");
  return set;
}

static void await(int set) {
  struct epoll_event event;
  while (epoll_wait(set, &event, 1, -1) != 1) {
    if (errno != EINTR) fail("epoll_wait");
  }
}

static int serve(int fd) {
  static struct connection connection;
  connection.fd = fd;
  make_nonblocking(fd);
  const int set = watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  while (echo(&connection)) await(set);
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  signal(SIGCHLD, SIG_IGN); /* nobody waits for the children */
  const int listener = listen_at(argv + 1);
  const int set = watch(listener, EPOLLIN);
  for (;;) {
    const int fd = accept(listener, NULL, NULL);
    if (fd < 0 && errno == EAGAIN) {
      await(set);
      continue;
    }
    if (fd < 0) fail("accept");
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
      close(listener);
      close(set);
      return serve(fd);
    }
    close(fd);
  }
}
