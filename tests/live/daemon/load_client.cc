// SPDX-License-Identifier: Apache-2.0
//
// A program that does everything an application can do with its daemon, as fast as it can, until it
// is killed: `load_client SOCKET server PORT`, or `load_client SOCKET client ADDRESS PORT SEED`.
// Prints "going" when it is in the middle of it.
//
// The server accepts on PORT and echoes what comes. The client opens connections, writes, reads,
// shuts down and closes in any order, watches them in sets, gives some a descriptor that it copies,
// and now and then forks a child that shares them all.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/rng.h"
#include "netchannel/netchannel.h"

namespace netchannel::test {
namespace {

constexpr size_t kSockets = 24;
constexpr size_t kBlock = 128 * 1024;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "load_client: %s: %s (%s)\n", what, std::strerror(errno), nc_last_error());
  std::exit(1);
}

void Going() {
  std::printf("going\n");
  std::fflush(stdout);
}

sockaddr_in MakeAddress(const char* ip, const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  inet_pton(AF_INET, ip, &address.sin_addr);
  return address;
}

void Serve(nc_stack* stack, const sockaddr_in& address) {
  nc_socket* const listener = nc_socket_create(stack, SOCK_NONBLOCK);
  nc_setopt(listener, NC_REUSEADDR, 1);
  if (nc_bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      nc_listen(listener, 64) != 0) {
    Fail("listen");
  }
  nc_set* const set = nc_set_create(stack);
  nc_set_watch(set, listener, NC_READ, listener);
  Going();
  std::vector<char> block(kBlock);
  for (;;) {
    nc_event events[16];
    const int count = nc_set_wait(set, events, 16, -1);
    if (count < 0 && errno != EINTR) Fail("wait");
    for (int i = 0; i < count; ++i) {
      auto* const socket = static_cast<nc_socket*>(events[i].data);
      if (socket == listener) {
        while (nc_socket* fresh = nc_accept(listener, nullptr, nullptr, SOCK_NONBLOCK)) {
          nc_set_watch(set, fresh, NC_READ, fresh);
        }
        continue;
      }
      const ssize_t got = nc_recv(socket, block.data(), block.size(), 0);
      if (got > 0) nc_send(socket, block.data(), static_cast<size_t>(got), 0);  // what fits
      if (got == 0 || (got < 0 && errno != EAGAIN)) nc_close(socket);
    }
  }
}

class Client {
 public:
  Client(nc_stack* stack, const sockaddr_in& address, uint64_t seed)
      : stack_(stack), address_(address), rng_(seed), sockets_(kSockets), block_(kBlock) {}

  [[noreturn]] void Run() {
    set_ = nc_set_create(stack_);
    for (uint64_t turn = 0;; ++turn) {
      Turn(sockets_[rng_.Below(kSockets)]);
      if (turn == 100) Going();
    }
  }

 private:
  void Turn(nc_socket*& socket) {
    if (socket == nullptr) return Open(socket);
    switch (rng_.Below(16)) {
      case 0:
        nc_close(socket);
        socket = nullptr;
        return;
      case 1:
        nc_shutdown(socket, static_cast<int>(rng_.Below(3)));
        return;
      case 2:
        nc_set_watch(set_, socket, static_cast<unsigned>(rng_.Below(4)), socket);
        return;
      case 3:
        return Wait();
      case 4:
        return Share(socket);
      case 5:
        if (rng_.Chance(0.02)) Fork();
        return;
      case 6:
      case 7:
      case 8:
      case 9:
        nc_recv(socket, block_.data(), block_.size(), MSG_DONTWAIT);
        return;
      default:
        nc_send(socket, block_.data(), 1 + rng_.Below(rng_.Chance(0.5) ? 200 : kBlock),
                MSG_DONTWAIT);
    }
  }

  void Open(nc_socket*& socket) {
    socket = nc_socket_create(stack_, rng_.Chance(0.7) ? SOCK_NONBLOCK : 0);
    if (socket == nullptr) Fail("socket");
    if (nc_connect(socket, reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)) == 0 ||
        errno == EINPROGRESS) {
      return;
    }
    nc_close(socket);  // the server has just been killed
    socket = nullptr;
  }
  void Wait() {
    nc_event events[4];
    nc_set_wait(set_, events, 4, static_cast<int>(rng_.Below(3)));
  }
  // Its own descriptor: from here on the program's, so the connection ends when that is closed.
  void Share(nc_socket*& socket) {
    const int fd = nc_socket_fd(socket);
    if (fd < 0) return;
    const int copy = dup(fd);
    close(fd);
    close(copy);
    nc_close(socket);
    socket = nullptr;
  }
  // Works on the same sockets until its parent is killed; it is there to be in the middle of things
  // as well.
  void Fork() {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    const pid_t parent = getpid();
    child_ = fork();
    if (child_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    for (;;) {
      nc_socket* const socket = sockets_[rng_.Below(kSockets)];
      if (socket == nullptr) continue;
      if (rng_.Chance(0.5)) {
        nc_send(socket, block_.data(), 1 + rng_.Below(500), MSG_DONTWAIT);
      } else {
        nc_recv(socket, block_.data(), block_.size(), MSG_DONTWAIT);
      }
    }
  }

  nc_stack* const stack_;
  const sockaddr_in address_;
  SeededRng rng_;
  std::vector<nc_socket*> sockets_;
  std::vector<char> block_;
  nc_set* set_ = nullptr;
  pid_t child_ = 0;
};

int Main(int argc, char** argv) {
  const std::string role = argc > 2 ? argv[2] : "";
  nc_stack* const stack = argc > 3 ? nc_stack_connect(argv[1]) : nullptr;
  if (stack == nullptr) Fail("connect to the daemon");
  if (role == "server" && argc == 4) Serve(stack, MakeAddress("0.0.0.0", argv[3]));
  if (role != "client" || argc != 6) Fail("arguments");
  Client(stack, MakeAddress(argv[3], argv[4]), std::strtoull(argv[5], nullptr, 10)).Run();
}

}  // namespace
}  // namespace netchannel::test

int main(int argc, char** argv) { return netchannel::test::Main(argc, argv); }
