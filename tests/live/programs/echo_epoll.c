/* SPDX-License-Identifier: Apache-2.0 */
/* usage: echo_epoll ADDRESS PORT: echoes, all connections in one level-triggered epoll set. */
#include <sys/epoll.h>

#include "echo.h"

static void watch(int set, int operation, int fd, uint32_t events, void* data) {
  struct epoll_event event = {.events = events, .data = {.ptr = data}};
  if (epoll_ctl(set, operation, fd, &event) != 0) fail("epoll_ctl");
}

static void accept_all(int set, int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0 && errno == EAGAIN) return;
    if (fd < 0) fail("accept4");
    struct connection* c = calloc(1, sizeof(*c));
    if (c == NULL) fail("calloc");
    c->fd = fd;
    watch(set, EPOLL_CTL_ADD, fd, EPOLLIN, c);
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int set = epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) fail("epoll_create1");
  const int listener = listen_at(argv + 1);
  watch(set, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
  for (;;) {
    struct epoll_event events[256];
    const int count = epoll_wait(set, events, 256, -1);
    if (count < 0) fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      struct connection* c = events[i].data.ptr;
      if (c == NULL) {
        accept_all(set, listener);
      } else if (echo(c)) {
        watch(set, EPOLL_CTL_MOD, c->fd, wants_to_write(c) ? EPOLLOUT : EPOLLIN, c);
      } else {
        close(c->fd);
        free(c);
      }
    }
  }
}
