/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: connection_rate ADDRESS PORT server
 *        connection_rate ADDRESS PORT THREADS CONNECTIONS
 *
 * Connections a second: each is a connect, a byte each way, and a close, by blocking calls of
 * THREADS threads. The server is one thread over epoll. The client prints one line of JSON.
 */
#include <sys/epoll.h>

#include "common.h"

static struct sockaddr_in server;
static long connections_of_a_thread;

static void serve(void) {
  const int one = 1;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int set = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data = {.fd = listener}};
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
      bind(listener, (const struct sockaddr*)&server, sizeof(server)) != 0 ||
      listen(listener, 1024) != 0 || epoll_ctl(set, EPOLL_CTL_ADD, listener, &event) != 0) {
    fail("server");
  }
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[64];
    const int count = epoll_wait(set, events, 64, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        event.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (event.data.fd < 0 && errno == EAGAIN) continue;
        if (event.data.fd < 0 || epoll_ctl(set, EPOLL_CTL_ADD, event.data.fd, &event) != 0)
          fail("accept4");
        continue;
      }
      char byte;
      const ssize_t got = recv(fd, &byte, 1, 0);
      if (got < 0 && errno == EAGAIN) continue;
      if (got == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1) continue;
      close(fd);
    }
  }
}

static void* run(void* unused) {
  for (long i = 0; i < connections_of_a_thread; ++i) {
    const int fd = connect_to(&server);
    char byte = 'x';
    send_all(fd, &byte, 1);
    receive_all(fd, &byte, 1);
    close(fd);
  }
  return unused;
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  server = address_of(argv + 1);
  if (strcmp(argv[3], "server") == 0) serve();
  enum { MOST = 64 };
  const int threads = atoi(argv[3]);
  if (argc != 5 || threads < 1 || threads > MOST) return 2;
  connections_of_a_thread = atol(argv[4]) / threads;
  pthread_t thread[MOST];
  const int64_t started = now_ns();
  for (int i = 0; i < threads; ++i) {
    if (pthread_create(&thread[i], NULL, run, NULL) != 0) fail("pthread_create");
  }
  for (int i = 0; i < threads; ++i) pthread_join(thread[i], NULL);
  const double seconds = (double)(now_ns() - started) / 1e9;
  printf("{\"connections_per_second\": %.0f}\n",
         (double)(connections_of_a_thread * threads) / seconds);
  return 0;
}
