/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the echo programs share. They are ordinary programs: they know POSIX and nothing of
 * NetChannel.
 *
 * A connection of a server echoes through one buffer: it reads when the buffer is empty, writes
 * while it is not, and is over when the peer has finished and all is written back. Descriptors are
 * non-blocking. Errors end the program, with a message.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void fail(const char* what) {
  perror(what);
  exit(1);
}

static inline void make_nonblocking(int fd) {
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) fail("fcntl");
}

static inline struct sockaddr_in address_of(char** arguments) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = htons((uint16_t)atoi(arguments[1]));
  if (inet_pton(AF_INET, arguments[0], &address.sin_addr) != 1) fail(arguments[0]);
  return address;
}

/* arguments: ADDRESS PORT */
static inline int listen_at(char** arguments) {
  const struct sockaddr_in address = address_of(arguments);
  const int one = 1;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) fail("socket");
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0) fail("setsockopt");
  if (bind(fd, (const struct sockaddr*)&address, sizeof(address)) != 0) fail("bind");
  if (listen(fd, 128) != 0) fail("listen");
  make_nonblocking(fd);
  puts("ready");
  fflush(stdout);
  return fd;
}

struct connection {
  int fd; /* -1: none */
  size_t filled, written;
  int at_end;
  char buffer[16384];
};

/* Moves bytes until the socket would block. Returns 0 when the connection is over. */
static inline int echo(struct connection* c) {
  for (;;) {
    if (c->written < c->filled) {
      const ssize_t put = write(c->fd, c->buffer + c->written, c->filled - c->written);
      if (put < 0 && errno == EAGAIN) return 1;
      if (put < 0) fail("write");
      c->written += (size_t)put;
      continue;
    }
    if (c->at_end) return 0;
    const ssize_t got = read(c->fd, c->buffer, sizeof(c->buffer));
    if (got < 0 && errno == EAGAIN) return 1;
    if (got < 0) fail("read");
    c->at_end = got == 0;
    c->filled = (size_t)got;
    c->written = 0;
  }
}

static inline int wants_to_write(const struct connection* c) { return c->written < c->filled; }
