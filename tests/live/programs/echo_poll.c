/* SPDX-License-Identifier: Apache-2.0 */
/* usage: echo_poll ADDRESS PORT: echoes, with poll(). */
#include <poll.h>

#include "echo.h"

enum { MOST = 512 };
static struct connection connections[MOST];

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int listener = listen_at(argv + 1);
  int count = 0;
  for (;;) {
    struct pollfd events[MOST + 1];
    events[0] = (struct pollfd){.fd = count < MOST ? listener : -1, .events = POLLIN};
    for (int i = 0; i < count; ++i) {
      const short wanted = wants_to_write(&connections[i]) ? POLLOUT : POLLIN;
      events[i + 1] = (struct pollfd){.fd = connections[i].fd, .events = wanted};
    }
    if (poll(events, (nfds_t)count + 1, -1) < 0) fail("poll");
    for (int i = count - 1; i >= 0; --i) {
      if (events[i + 1].revents == 0 || echo(&connections[i])) continue;
      close(connections[i].fd);
      connections[i] = connections[--count];
    }
    if (events[0].revents == 0) continue;
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0 && errno == EAGAIN) continue;
    if (fd < 0) fail("accept4");
    memset(&connections[count], 0, sizeof(connections[count]));
    connections[count++].fd = fd;
  }
}
