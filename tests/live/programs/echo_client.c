/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: echo_client ADDRESS PORT CONNECTIONS BYTES: opens all connections at once, sends BYTES
 * over each and finishes, and checks what comes back, to the end.
 */
#include <poll.h>

#include "echo.h"

struct flow {
  int fd;
  size_t sent, received;
};

static char expected(size_t flow, size_t offset) {
  return (char)(offset * 31 + flow * 7 + (offset >> 9));
}

/* Returns 0 when all has been sent. */
static int send_some(struct flow* f, size_t number, size_t bytes) {
  char buffer[8192];
  size_t length = 0;
  while (length < sizeof(buffer) && f->sent + length < bytes) {
    buffer[length] = expected(number, f->sent + length);
    ++length;
  }
  const ssize_t put = send(f->fd, buffer, length, MSG_NOSIGNAL);
  if (put < 0 && errno != EAGAIN) fail("send");
  if (put > 0) f->sent += (size_t)put;
  if (f->sent < bytes) return 1;
  if (shutdown(f->fd, SHUT_WR) != 0) fail("shutdown");
  return 0;
}

/* Returns 0 at the end. */
static int receive_some(struct flow* f, size_t number, size_t bytes) {
  char buffer[8192];
  const ssize_t got = recv(f->fd, buffer, sizeof(buffer), 0);
  if (got < 0 && errno == EAGAIN) return 1;
  if (got < 0) fail("recv");
  for (ssize_t i = 0; i < got; ++i) {
    if (buffer[i] == expected(number, f->received + (size_t)i)) continue;
    fprintf(stderr, "connection %zu: a wrong byte at %zu\n", number, f->received + (size_t)i);
    exit(1);
  }
  f->received += (size_t)got;
  if (got > 0) return 1;
  if (f->received == bytes) return 0;
  fprintf(stderr, "connection %zu: %zu bytes of %zu came back\n", number, f->received, bytes);
  exit(1);
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const struct sockaddr_in address = address_of(argv + 1);
  const size_t count = strtoul(argv[3], NULL, 10), bytes = strtoul(argv[4], NULL, 10);
  struct flow* flows = calloc(count, sizeof(*flows));
  struct pollfd* events = calloc(count, sizeof(*events));
  if (flows == NULL || events == NULL) fail("calloc");
  for (size_t i = 0; i < count; ++i) {
    flows[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (flows[i].fd < 0) fail("socket");
    const int result = connect(flows[i].fd, (const struct sockaddr*)&address, sizeof(address));
    if (result != 0 && errno != EINPROGRESS) fail("connect");
    events[i] = (struct pollfd){.fd = flows[i].fd, .events = POLLIN | POLLOUT};
  }
  for (size_t left = count; left > 0;) {
    if (poll(events, count, -1) < 0) fail("poll");
    for (size_t i = 0; i < count; ++i) {
      if ((events[i].revents & POLLOUT) != 0 && !send_some(&flows[i], i, bytes)) {
        events[i].events = POLLIN;
      }
      const short arrived = events[i].revents & (POLLIN | POLLHUP | POLLERR);
      if (arrived == 0 || receive_some(&flows[i], i, bytes)) continue;
      close(flows[i].fd);
      events[i].fd = -1;
      --left;
    }
  }
  printf("%zu connections, %zu bytes each, intact\n", count, bytes);
  free(flows);
  free(events);
  return 0;
}
