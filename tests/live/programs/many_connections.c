/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: many_connections ADDRESS PORT CONNECTIONS ROUNDS: opens all connections and keeps them in
 * one epoll set. In each round it sends a word of its own over each, and waits for all to come
 * back; then over one alone, whose event must be the only one among all of them.
 */
#include <sys/epoll.h>

#include "echo.h"

enum { OPENING_AT_ONCE = 100 }; /* less than the server's backlog */

static int set;
static int* fds;

static void watch(size_t number) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u64 = number}};
  if (epoll_ctl(set, EPOLL_CTL_ADD, fds[number], &event) != 0) fail("epoll_ctl");
}

static void start(size_t number, const struct sockaddr_in* address) {
  fds[number] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fds[number] < 0) fail("socket");
  if (connect(fds[number], (const struct sockaddr*)address, sizeof(*address)) != 0 &&
      errno != EINPROGRESS) {
    fail("connect");
  }
  watch(number);
}

/* Events of some connections, one at least. */
static int await(struct epoll_event* events, int most) {
  const int count = epoll_wait(set, events, most, 60000);
  if (count < 0) fail("epoll_wait");
  if (count == 0) {
    fprintf(stderr, "no event for a minute\n");
    exit(1);
  }
  return count;
}

static void open_all(size_t count, const struct sockaddr_in* address) {
  size_t started = 0, opened = 0;
  char* is_open = calloc(count, 1);
  if (is_open == NULL) fail("calloc");
  while (opened < count) {
    while (started < count && started - opened < OPENING_AT_ONCE) start(started++, address);
    struct epoll_event events[256];
    const int found = await(events, 256);
    for (int i = 0; i < found; ++i) {
      const size_t number = events[i].data.u64;
      int error = 0;
      socklen_t length = sizeof(error);
      getsockopt(fds[number], SOL_SOCKET, SO_ERROR, &error, &length);
      if (error != 0) {
        fprintf(stderr, "connection %zu: %s\n", number, strerror(error));
        exit(1);
      }
      if ((events[i].events & EPOLLOUT) == 0 || is_open[number]) continue;
      is_open[number] = 1;
      ++opened;
    }
  }
  free(is_open);
}

static uint64_t word_of(size_t number, size_t round) { return number * 1000003 + round; }

static void say(size_t number, size_t round) {
  const uint64_t word = word_of(number, round);
  if (write(fds[number], &word, sizeof(word)) != sizeof(word)) fail("write");
}

/* Returns 1 when its word has come. */
static int hear(size_t number, size_t round) {
  uint64_t word;
  const ssize_t got = read(fds[number], &word, sizeof(word));
  if (got < 0 && errno == EAGAIN) return 0;
  if (got < 0) fail("read");
  if (got == sizeof(word) && word == word_of(number, round)) return 1;
  fprintf(stderr, "connection %zu: wrong in round %zu\n", number, round);
  exit(1);
}

/* Returns how many events of connections without their word there were. */
static size_t hear_all(size_t count, size_t round) {
  size_t needless = 0;
  struct epoll_event events[256];
  while (count > 0) {
    const int found = await(events, 256);
    for (int i = 0; i < found; ++i) {
      if (hear(events[i].data.u64, round)) {
        --count;
      } else {
        ++needless;
      }
    }
  }
  return needless;
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const struct sockaddr_in address = address_of(argv + 1);
  const size_t count = strtoul(argv[3], NULL, 10), rounds = strtoul(argv[4], NULL, 10);
  fds = calloc(count, sizeof(*fds));
  set = epoll_create1(EPOLL_CLOEXEC);
  if (fds == NULL || set < 0) fail("setup");
  open_all(count, &address);
  for (size_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < count; ++i) say(i, round);
    hear_all(count, round);
  }
  for (size_t i = 0; i < rounds; ++i) {
    const size_t number = i * 7919 % count;
    say(number, rounds + i);
    if (hear_all(1, rounds + i) > 1) {
      fprintf(stderr, "events of connections with nothing to tell\n");
      return 1;
    }
  }
  printf("%zu connections in one set, %zu rounds\n", count, rounds);
  return 0;
}
