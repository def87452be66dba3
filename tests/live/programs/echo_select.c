/* SPDX-License-Identifier: Apache-2.0 */
/* usage: echo_select ADDRESS PORT: echoes, with select(). */
#include <sys/select.h>

#include "echo.h"

static struct connection connections[FD_SETSIZE]; /* by descriptor */

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int listener = listen_at(argv + 1);
  for (int fd = 0; fd < FD_SETSIZE; ++fd) connections[fd].fd = -1;
  for (;;) {
    fd_set readable, writable;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(listener, &readable);
    int highest = listener;
    for (int fd = 0; fd < FD_SETSIZE; ++fd) {
      if (connections[fd].fd < 0) continue;
      if (wants_to_write(&connections[fd])) {
        FD_SET(fd, &writable);
      } else {
        FD_SET(fd, &readable);
      }
      if (fd > highest) highest = fd;
    }
    if (select(highest + 1, &readable, &writable, NULL, NULL) < 0) fail("select");
    for (int fd = 0; fd <= highest; ++fd) {
      const int ready = FD_ISSET(fd, &readable) || FD_ISSET(fd, &writable);
      if (fd == listener || !ready) continue;
      if (echo(&connections[fd])) continue;
      close(fd);
      connections[fd].fd = -1;
    }
    if (!FD_ISSET(listener, &readable)) continue;
    const int fd = accept(listener, NULL, NULL);
    if (fd < 0 && errno == EAGAIN) continue;
    if (fd < 0 || fd >= FD_SETSIZE) fail("accept");
    make_nonblocking(fd);
    memset(&connections[fd], 0, sizeof(connections[fd]));
    connections[fd].fd = fd;
  }
}
