// SPDX-License-Identifier: Apache-2.0
//
// Echo over NetChannel. One thread serves all clients with a wait set; a client that does not read
// stalls the others, as sends block: a real server would watch NC_WRITE. Clients time round trips.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netchannel/netchannel.h"

static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
  (void)signal_number;
  stopped = 1;
}

static int fail(const char* what) {
  fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
  return 1;
}

static void answer(nc_socket* client) {
  char bytes[65536];
  ssize_t got = nc_recv(client, bytes, sizeof(bytes), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0 || nc_send(client, bytes, (size_t)got, 0) != got) nc_close(client);
}

static int serve(nc_stack* stack, const char* port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  nc_socket* listener = nc_socket_create(stack, SOCK_NONBLOCK);
  nc_set* set = nc_set_create(stack);
  if (!listener || !set) return fail("create");
  if (nc_bind(listener, (struct sockaddr*)&at, sizeof(at)) != 0) return fail("bind");
  if (nc_listen(listener, 128) != 0) return fail("listen");
  nc_set_watch(set, listener, NC_READ, NULL);
  while (!stopped) {
    struct nc_event events[64];
    int count = nc_set_wait(set, events, 64, 500);  // looks at `stopped` twice a second
    if (count < 0 && errno != EINTR) return fail("wait");
    for (int i = 0; i < count; ++i) {
      if (events[i].socket != listener) {
        answer(events[i].socket);
        continue;
      }
      nc_socket* client = nc_accept(listener, NULL, NULL, 0);
      if (client) nc_set_watch(set, client, NC_READ, NULL);
    }
  }
  return 0;
}

static int ping(nc_stack* stack, const char* ip, const char* port, int count) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  errno = EINVAL;
  if (inet_pton(AF_INET, ip, &at.sin_addr) != 1) return fail(ip);
  char bytes[64] = "hello over NetChannel";
  struct timespec start, end;
  nc_socket* socket = nc_socket_create(stack, 0);
  if (!socket || nc_setopt(socket, NC_CLASS, 1) != 0) return fail("create");
  if (nc_connect(socket, (struct sockaddr*)&at, sizeof(at)) != 0) return fail("connect");
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int i = 0; i < count; ++i) {
    if (nc_send(socket, bytes, sizeof(bytes), 0) != sizeof(bytes)) return fail("send");
    if (nc_recv(socket, bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes)) return fail("receive");
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  double seconds =
      (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
  printf("\"%s\": %d round trips, %.1f us each\n", bytes, count, 1e6 * seconds / count);
  return nc_close(socket) == 0 ? 0 : fail("close");
}

int main(int argc, char** argv) {
  int server = argc == 4 && strcmp(argv[1], "server") == 0;
  int client = (argc == 5 || argc == 6) && strcmp(argv[1], "client") == 0;
  if (!server && !client) {
    fprintf(stderr,
            "usage: echo server INTERFACE PORT\n       echo client INTERFACE IP PORT [COUNT]\n");
    return 1;
  }
  signal(SIGINT, stop);
  signal(SIGTERM, stop);
  nc_stack* stack = nc_stack_start(argv[2], NULL);
  if (!stack) {
    fprintf(stderr, "echo: %s\n", nc_last_error());
    return 1;
  }
  int count = argc == 6 && atoi(argv[5]) > 0 ? atoi(argv[5]) : 1000;
  int result = server ? serve(stack, argv[3]) : ping(stack, argv[3], argv[4], count);
  nc_stack_stop(stack);
  return result;
}
