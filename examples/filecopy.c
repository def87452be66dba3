// SPDX-License-Identifier: Apache-2.0
//
// Copies a file over one NetChannel socket. The receiver confirms with one byte that all of it is
// written.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netchannel/netchannel.h"

enum { kBlock = 1 << 20 };
static char block[kBlock];

static int fail(const char* what) {
  fprintf(stderr, "filecopy: %s: %s\n", what, strerror(errno));
  return 1;
}

static int write_all(int file, const char* bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(file, bytes, length);
    if (written < 0) return -1;
    bytes += written;
    length -= (size_t)written;
  }
  return 0;
}

static int send_file(nc_socket* socket, const struct sockaddr_in* to, int file) {
  ssize_t got;
  if (nc_connect(socket, (const struct sockaddr*)to, sizeof(*to)) != 0) return fail("connect");
  while ((got = read(file, block, kBlock)) > 0) {
    if (nc_send(socket, block, (size_t)got, 0) != got) return fail("send");
  }
  if (got < 0) return fail("read");
  if (nc_shutdown(socket, SHUT_WR) != 0) return fail("shutdown");
  if (nc_recv(socket, block, 1, 0) != 1) return fail("the receiver did not confirm");
  return 0;
}

static int receive_file(nc_socket* listener, const struct sockaddr_in* at, int file) {
  ssize_t got;
  int result = 0;
  if (nc_bind(listener, (const struct sockaddr*)at, sizeof(*at)) != 0) return fail("bind");
  if (nc_listen(listener, 1) != 0) return fail("listen");
  nc_socket* socket = nc_accept(listener, NULL, NULL, 0);
  if (!socket) return fail("accept");
  while ((got = nc_recv(socket, block, kBlock, 0)) > 0) {
    if (write_all(file, block, (size_t)got) != 0) return fail("write");
  }
  if (got < 0) return fail("receive");
  if (fsync(file) != 0 && errno != EINVAL) return fail("fsync");  // EINVAL: a pipe or a device
  // Close waits until the confirmation is acknowledged.
  nc_setopt(socket, NC_LINGER_MS, 5000);
  if (nc_send(socket, "", 1, 0) != 1) result = fail("confirm");
  nc_close(socket);
  return result;
}

int main(int argc, char** argv) {
  int sender = argc == 6 && strcmp(argv[1], "send") == 0;
  int receiver = argc == 5 && strcmp(argv[1], "receive") == 0;
  if (!sender && !receiver) {
    fprintf(stderr,
            "usage: filecopy send INTERFACE IP PORT FILE\n       filecopy receive INTERFACE PORT "
            "FILE\n");
    return 1;
  }
  struct sockaddr_in at = {.sin_family = AF_INET};
  at.sin_port = htons((uint16_t)atoi(argv[sender ? 4 : 3]));
  if (inet_pton(AF_INET, sender ? argv[3] : "0.0.0.0", &at.sin_addr) != 1) {
    fprintf(stderr, "filecopy: %s is not an IPv4 address\n", argv[3]);
    return 1;
  }
  int file = sender ? open(argv[5], O_RDONLY) : open(argv[4], O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0) return fail(argv[argc - 1]);
  nc_stack* stack = nc_stack_start(argv[2], NULL);
  if (!stack) {
    fprintf(stderr, "filecopy: %s\n", nc_last_error());
    return 1;
  }
  nc_socket* socket = nc_socket_create(stack, 0);
  int result = 1;
  if (!socket) {
    fail("create");
  } else {
    result = sender ? send_file(socket, &at, file) : receive_file(socket, &at, file);
  }
  nc_stack_stop(stack);
  if (close(file) != 0) return fail(argv[argc - 1]);
  return result;
}
