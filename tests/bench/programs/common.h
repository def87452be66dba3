/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the measuring programs share. They are ordinary programs: they know POSIX and nothing of
 * NetChannel, and run over the kernel's TCP as they are. Errors end them, with a message.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline void fail(const char* what) {
  perror(what);
  exit(1);
}

static inline int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* arguments: ADDRESS PORT */
static inline struct sockaddr_in address_of(char** arguments) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = htons((uint16_t)atoi(arguments[1]));
  if (inet_pton(AF_INET, arguments[0], &address.sin_addr) != 1) fail(arguments[0]);
  return address;
}

static inline int connect_to(const struct sockaddr_in* address) {
  const int one = 1;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) fail("socket");
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0) fail("TCP_NODELAY");
  if (connect(fd, (const struct sockaddr*)address, sizeof(*address)) != 0) fail("connect");
  return fd;
}

static inline void send_all(int fd, const char* bytes, size_t length) {
  while (length > 0) {
    const ssize_t put = send(fd, bytes, length, MSG_NOSIGNAL);
    if (put < 0) fail("send");
    bytes += put;
    length -= (size_t)put;
  }
}

static inline void receive_all(int fd, char* bytes, size_t length) {
  while (length > 0) {
    const ssize_t got = recv(fd, bytes, length, 0);
    if (got < 0) fail("recv");
    if (got == 0) {
      fprintf(stderr, "the server closed the connection\n");
      exit(1);
    }
    bytes += got;
    length -= (size_t)got;
  }
}
