/* SPDX-License-Identifier: Apache-2.0
 *
 * NetChannel's C API: stream sockets on a NetChannel stack. Stable: functions are added, never
 * changed.
 *
 * The calls mean what their POSIX namesakes mean (IEEE Std 1003.1-2017, XSH 2.10 and the pages of
 * the functions) and fail as they do: -1 and errno, or NULL and errno. What differs is said at the
 * function. A socket is an opaque pointer, not a file descriptor; the preload library gives real
 * descriptors. EINTR: as in POSIX, also on a thread that runs an embedded stack meanwhile; a
 * handler with SA_RESTART lets a call without a time limit go on (where handlers with and without
 * it are installed together, such a thread may take one for the other and return EINTR). ENETDOWN:
 * the stack has gone.
 *
 * Threads: every function may be called from any thread, none from a signal handler; one socket may
 * be used by several threads (one sender and one receiver run in parallel, two senders take turns).
 * Do not close a socket while another thread is inside a call on it. Lifetimes: a stack outlives
 * its sockets and sets. Units: bytes and milliseconds, unless a name says otherwise.
 *
 * Processes: after fork() a socket of the daemon belongs to both, as a kernel's socket does: each
 * closes its own handle, and the connection ends with the last. What is set with nc_setopt, and
 * what has been read and written, is common to both. A new socket that the child makes from the
 * inherited nc_stack is its own. A process may die at any point, the others go on. Not so with an
 * embedded stack: in the child its sockets fail (ENOTCONN, ENETDOWN) and the parent does not
 * notice. The child of vfork() may only exec. Sockets survive exec(), and travel to other
 * processes, as their descriptors: see nc_socket_fd.
 */
#ifndef NETCHANNEL_NETCHANNEL_H_
#define NETCHANNEL_NETCHANNEL_H_

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NC_VERSION_MAJOR 0
#define NC_VERSION_MINOR 1

typedef struct nc_stack nc_stack;   /* a stack, embedded in this process or the host's daemon */
typedef struct nc_socket nc_socket; /* a virtual stream socket */
typedef struct nc_set nc_set;       /* a set of sockets whose readiness is watched at one place */

/* ---- stack ---- */

/* Starts a stack inside this process on network interface `interface`, prepared by
 * scripts/setup.sh. Needs CAP_NET_RAW and CAP_IPC_LOCK, and to read and write the pinned BPF maps:
 * they are root's, or those of `setup.sh --user NAME`. `interface` may also be an IP address of
 * this host: channels then run over the kernel's TCP, with no privilege and no setup.sh.
 * `config_path` names a TOML file or is NULL for defaults; with a file that has an `interface` key,
 * `interface` may be NULL. On failure returns NULL, nc_last_error() says which object failed and
 * what to do, and errno is set: EPERM (a missing privilege), ENODEV (no such interface, or not
 * prepared), EBUSY (another stack has the queues), EINVAL (a value of the configuration or the
 * call), ENOTSUP (what the interface or the kernel lacks), ENOMEM, EIO (anything else of the
 * kernel's or the device's); of the configuration file EFBIG (above 1 MiB) and those of open() and
 * read(), for example ENOENT, EACCES and EISDIR. */
nc_stack* nc_stack_start(const char* interface, const char* config_path);

/* The stack that all processes of this host share: netchanneld. `socket_path` names its control
 * socket, NULL the default (/run/netchannel/, or the environment's NETCHANNEL_DAEMON). On failure
 * returns NULL, errno is set, and nc_last_error() says what to do: EPERM, ENODEV or EBUSY (no
 * daemon there), ENOTSUP or EPROTO (its version is another one), ENOMEM (a limit of the user's).
 * When the daemon goes, its sockets end with ECONNRESET, and nc_socket_create fails with ENETDOWN
 * until it is back. */
nc_stack* nc_stack_connect(const char* socket_path);

/* Ends the use of the stack. Embedded: open sockets are reset, the peers are told, all memory is
 * returned. The daemon's: open sockets are closed as by nc_close. NULL is ignored. */
void nc_stack_stop(nc_stack* stack);

/* The message of this thread's last failed call that has one; never NULL. Valid until the thread's
 * next call. */
const char* nc_last_error(void);

/* Status as JSON, the text of `netchannel status --json`. Free with free(). NULL and ENOMEM. */
char* nc_stack_status(nc_stack* stack);

/* ---- sockets ---- */

/* A new stream socket. flags: 0 or SOCK_NONBLOCK. EMFILE when the stack's table is full, ENOMEM. */
nc_socket* nc_socket_create(nc_stack* stack, int flags);

/* The descriptor that stands for a socket of the daemon; ENOTSUP for one of an embedded stack. It
 * cannot be read or polled for data, but it can be duplicated, inherited over fork() and exec() and
 * sent with SCM_RIGHTS, and the connection lives until its last copy, in any process, is closed. It
 * is close-on-exec. From the first call on it is the caller's to close: nc_close() then ends the
 * use of the handle only. EMFILE, ENETDOWN. */
int nc_socket_fd(nc_socket* socket);

/* A handle for the socket that `fd` stands for: inherited over exec(), received, or a copy of one
 * that this process has. `fd` stays the caller's, and open while the handle is used. `socket_path`
 * as in nc_stack_connect, of the daemon whose socket it is. ENOTSOCK: it stands for none.
 * ECONNRESET: the socket or its daemon has gone. ENOMEM. */
nc_socket* nc_socket_adopt(const char* socket_path, int fd);

/* AF_INET or AF_INET6 addresses: one of the stack's own, 0.0.0.0 for IPv4 peers only, or :: for
 * peers of both families. EADDRINUSE, EADDRNOTAVAIL, EINVAL. */
int nc_bind(nc_socket* socket, const struct sockaddr* address, socklen_t length);
/* `backlog`: connections that wait for nc_accept, at most 4096. When as many wait, the stack of who
 * connects goes on trying, until its connect timeout. */
int nc_listen(nc_socket* socket, int backlog);
/* flags: SOCK_NONBLOCK (for the new socket), MSG_DONTWAIT (EAGAIN when no connection waits), or 0.
 * `address` and `length` may be NULL. */
nc_socket* nc_accept(nc_socket* socket, struct sockaddr* address, socklen_t* length, int flags);
/* Non-blocking: -1 and EINPROGRESS; writable when done, NC_ERROR (SO_ERROR) tells the outcome.
 * ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, EAFNOSUPPORT (bound to an address of the other family),
 * EPROTONOSUPPORT: there is no NetChannel at that address (the stack there speaks other versions or
 * denies us, it is outside peers.networks, or not reached through the interface; see NC_PROBE). */
int nc_connect(nc_socket* socket, const struct sockaddr* address, socklen_t length);

/* flags: MSG_DONTWAIT, MSG_NOSIGNAL (implied: no SIGPIPE is ever sent), MSG_MORE (accepted, no
 * effect), for receive also MSG_PEEK, MSG_WAITALL. Other flags: EOPNOTSUPP. */
ssize_t nc_send(nc_socket* socket, const void* data, size_t length, int flags);
ssize_t nc_recv(nc_socket* socket, void* data, size_t length, int flags);
ssize_t nc_sendv(nc_socket* socket, const struct iovec* parts, int count, int flags);
ssize_t nc_recvv(nc_socket* socket, const struct iovec* parts, int count, int flags);

int nc_shutdown(nc_socket* socket, int how); /* SHUT_RD, SHUT_WR, SHUT_RDWR */
/* Bytes already written are still delivered after close (see NC_LINGER_MS to wait for it, or to
 * abort). A socket that other processes may hold is not waited for. */
int nc_close(nc_socket* socket);

int nc_getsockname(nc_socket* socket, struct sockaddr* address, socklen_t* length);
int nc_getpeername(nc_socket* socket, struct sockaddr* address, socklen_t* length);

/* Options: int values unless said otherwise. Unknown option: ENOPROTOOPT. Value out of range:
 * EINVAL. */
enum nc_option
#ifdef __cplusplus
    : unsigned int /* as in C: an unknown value may be passed, and is refused */
#endif
{
  /* 0 throughput, 1 latency; before connect or listen, or while connected. Who chooses none has 0,
   * unless a rule of the stack's configuration, its map `peers` or, with classes.automatic, the
   * traffic says otherwise. */
  NC_CLASS = 1,
  NC_NONBLOCK = 2,  /* 0 or 1 */
  NC_NODELAY = 3,   /* 0 or 1; a lone message is never delayed, so this is kept and has no effect */
  NC_REUSEADDR = 4, /* 0 or 1 */
  /* Keepalive, for who wants to know sooner than the stack that the peer has gone. A peer that has
   * been silent for the idle time, towards all sockets of this stack, is asked for a sign of life,
   * and again after each interval; a socket with the option on fails with ETIMEDOUT an interval
   * after the last of `count` questions. Others of the same peer go on. Without the option the
   * stack asks as often as session.keepalive_ms of its configuration says, and all connections to a
   * peer end with ETIMEDOUT when it leaves anything, questions of sockets too, unanswered for
   * sockets.user_timeout_ms; that holds for sockets with longer times, too. */
  NC_KEEPALIVE = 5,       /* 0 (default) or 1 */
  NC_KEEPIDLE_MS = 6,     /* 2 hours by default, as TCP_KEEPIDLE */
  NC_KEEPINTERVAL_MS = 7, /* 75 s by default, as TCP_KEEPINTVL */
  NC_KEEPCOUNT = 8,       /* 1 to 127; 9 by default */
  /* Data unacknowledged for this long: ETIMEDOUT (RFC 5482). 0: the stack's default. Concerns data
   * that this socket has sent; a socket that only reads has none, and NC_KEEPALIVE instead. */
  NC_USER_TIMEOUT_MS = 9,
  NC_LINGER_MS = 10, /* -1 off (default), 0 abort at close, else close waits at most this long */
  NC_ERROR = 11,     /* read only; reading clears it, as SO_ERROR */
  NC_SPIN = 12, /* 0 or 1: blocking calls spin instead of sleeping. Where another process runs the
                   stack, the core is yielded in between to who else wants it. */
  NC_RECEIVE_QUEUE = 13,      /* read only: bytes that can be read now, as FIONREAD */
  NC_SEND_QUEUE = 14,         /* read only: bytes not yet acknowledged by the peer, as SIOCOUTQ */
  NC_SEND_TIMEOUT_MS = 15,    /* 0 none (default), as SO_SNDTIMEO: EAGAIN; connect: EINPROGRESS */
  NC_RECEIVE_TIMEOUT_MS = 16, /* 0 none (default), as SO_RCVTIMEO: EAGAIN; accept too */
  NC_SEND_BUFFER =
      17, /* bytes that may be written and not yet acknowledged; cut to 4096 .. the ring's size */
  /* The most bytes that the peer may send ahead of the reader, cut to 16384 .. the ring's size (the
   * default); within it the window grows while the reader keeps up. Connections are opened with it;
   * a later, smaller value takes nothing back of what the peer may send already. */
  NC_RECEIVE_BUFFER = 18,
  NC_PROBE =
      19, /* 0 or 1: nc_connect fails with EPROTONOSUPPORT when the peer's kernel says that
           * there is no stack, or none answers within peers.probe_ms, and at once while that
           * is remembered: for who can go another way. 0: it goes on asking until ETIMEDOUT */
  NC_REUSEPORT = 20, /* 0 or 1, before bind: several sockets of one user listen on the port, all
                      * with this option, and take new connections in turn */
  /* 1 to 255: the socket's share of bytes among the sockets of its class that have something to
   * send; 1 when nobody has chosen. */
  NC_WEIGHT = 21,
};

/* The class as a socket option of programs that run on the preload library:
 *   int type = NC_APP_LATENCY;
 *   setsockopt(fd, SOL_SOCKET, SO_APP_TYPE, &type, sizeof(type));
 * The name is that of the NetChannel paper. The kernel's own sockets refuse it (ENOPROTOOPT) where
 * the library is not loaded. A non-zero SO_PRIORITY means the latency class, too. */
#define SO_APP_TYPE 0x4e43
#define NC_APP_THROUGHPUT 0
#define NC_APP_LATENCY 1

int nc_setopt(nc_socket* socket, enum nc_option option, int value);
int nc_getopt(nc_socket* socket, enum nc_option option, int* value);

/* ---- readiness ---- */

#define NC_READ 1u   /* data, a waiting connection, or end of stream */
#define NC_WRITE 2u  /* room to send, or the outcome of connect */
#define NC_HANGUP 4u /* both directions are over; always reported */
#define NC_FAILED 8u /* an error waits in NC_ERROR; always reported */
#define NC_RDHUP 16u /* the peer will send no more; there may be data to read before that */
/* For nc_set_watch only, never reported: */
#define NC_EDGE 0x100u    /* report what has happened since the last report, as EPOLLET */
#define NC_ONESHOT 0x200u /* report once, then nothing until watched anew, as EPOLLONESHOT */

/* What `socket` is ready for now: a combination of the NC_* bits above. Never blocks. */
unsigned nc_ready(nc_socket* socket);

/* A set of sockets, like an epoll instance (epoll(7)). A socket may be in several sets, and the
 * sockets of a set may come from several stacks. EMFILE: 256 sets of one process, or descriptors.
 * After fork() the child's set is a copy of the parent's: changes in one do not show in the other.
 */
nc_set* nc_set_create(nc_stack* stack);
void nc_set_destroy(nc_set* set);
/* Adds the socket, or changes what it waits for; events 0 removes it. `data` comes back with each
 * event. A socket that is ready when it is added or changed is reported, with NC_EDGE too.
 * Level-triggered (the default): reported in each wait while it is ready. NC_EDGE: reported after
 * something has happened: bytes or a connection arrived, room came back after a call or a look had
 * found none, the connection changed its state. What is reported is all that it is ready for then.
 * ENOENT: removes what is not in it. A closed socket leaves its sets. */
int nc_set_watch(nc_set* set, nc_socket* socket, unsigned events, void* data);
struct nc_event {
  nc_socket* socket;
  unsigned events;
  void* data;
};
/* Waits until at least one socket is ready; timeout_ms -1: no limit, 0: does not wait.
 * Returns the number of events, 0 on timeout. EINTR, also with SA_RESTART, as epoll_wait().
 * ENETDOWN: the stacks of all its sockets have gone, and there is nothing more to report of them.
 */
int nc_set_wait(nc_set* set, struct nc_event* events, int capacity, int timeout_ms);
/* A descriptor that polls readable while nc_set_wait(set, ..., 0) may have something; for use in
 * another event loop. Call nc_set_wait until it returns 0 before polling again. Owned by the set.
 */
int nc_set_fd(nc_set* set);

#ifdef __cplusplus
}
#endif
#endif /* NETCHANNEL_NETCHANNEL_H_ */
