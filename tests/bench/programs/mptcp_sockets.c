/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: LD_PRELOAD=libmptcp_sockets.so PROGRAM...
 *
 * The program's TCP sockets become MPTCP's. Where the kernel has none, socket() fails: a
 * measurement must not fall back unseen.
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int socket(int domain, int type, int protocol) {
  const int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  const int is_tcp = (domain == AF_INET || domain == AF_INET6) && kind == SOCK_STREAM &&
                     (protocol == 0 || protocol == IPPROTO_TCP);
  return (int)syscall(SYS_socket, domain, type, is_tcp ? IPPROTO_MPTCP : protocol);
}
