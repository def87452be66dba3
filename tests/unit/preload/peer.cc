// SPDX-License-Identifier: Apache-2.0
//
// The far end for the calls of a program under test. Usage: preload_peer PORT
//
// A thread a connection. The first line of a connection says what to do with it:
//   ECHO        send back what comes, until the end
//   SEND n      send n bytes of the pattern, then close
//   SINK        read to the end, then answer "<bytes> <sum>"
//   END         answer how the last SINK ended, which it waits for: "SINK <bytes> <sum>
//               <errno>"
//   RESET       close with a reset
//   FIN         close this direction at once, read the other to its end
//   HOLD        read nothing until the other end has closed its direction
//   CALL p t    connect back to port p, send the text t, read to the end
// Prints "ready" when it listens. Ends when its standard input does.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>

#include "pattern.h"

namespace {

std::string ReadLine(int fd) {
  std::string line;
  char one;
  while (read(fd, &one, 1) == 1 && one != '\n') line.push_back(one);
  return line;
}

bool SendAll(int fd, const char* data, size_t length) {
  while (length > 0) {
    const ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data += sent;
    length -= static_cast<size_t>(sent);
  }
  return true;
}

void Echo(int fd) {
  char block[16384];
  for (;;) {
    const ssize_t got = read(fd, block, sizeof(block));
    if (got <= 0 || !SendAll(fd, block, static_cast<size_t>(got))) return;
  }
}

void SendPattern(int fd, size_t length) {
  std::string block;
  for (size_t at = 0; at < length; at += block.size()) {
    block = Pattern(at, std::min<size_t>(length - at, 65536));
    if (!SendAll(fd, block.data(), block.size())) return;
  }
}

// How the last SINK ended; empty: none has since it was asked for.
std::mutex end_mutex;
std::condition_variable end_known;
std::string last_end;

void Sink(int fd) {
  char block[65536];
  size_t bytes = 0;
  uint32_t sum = 0;
  int error = 0;
  for (;;) {
    const ssize_t got = read(fd, block, sizeof(block));
    if (got < 0) error = errno;
    if (got <= 0) break;
    sum = Sum(sum, {block, static_cast<size_t>(got)});
    bytes += static_cast<size_t>(got);
  }
  const std::string answer = std::to_string(bytes) + " " + std::to_string(sum) + "\n";
  SendAll(fd, answer.data(), answer.size());
  const std::lock_guard lock(end_mutex);
  last_end =
      "SINK " + std::to_string(bytes) + " " + std::to_string(sum) + " " + std::to_string(error);
  end_known.notify_all();
}

void TellEnd(int fd) {
  std::unique_lock lock(end_mutex);
  end_known.wait(lock, [] { return !last_end.empty(); });
  SendAll(fd, last_end.data(), last_end.size());
  last_end.clear();
}

void ForgetEnd() {
  const std::lock_guard lock(end_mutex);
  last_end.clear();
}

void ReadToEnd(int fd) {
  char block[4096];
  while (read(fd, block, sizeof(block)) > 0) {
  }
}

void Call(int fd, const std::string& line) {
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length);
  int port = 0, at = 0;
  std::sscanf(line.c_str(), "CALL %d %n", &port, &at);
  const auto wanted = htons(static_cast<uint16_t>(port));
  if (peer.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&peer)->sin_port = wanted;
  } else {
    reinterpret_cast<sockaddr_in6*>(&peer)->sin6_port = wanted;
  }
  const int back = socket(peer.ss_family, SOCK_STREAM, 0);
  if (connect(back, reinterpret_cast<sockaddr*>(&peer), length) == 0) {
    const std::string text = line.substr(static_cast<size_t>(at));
    SendAll(back, text.data(), text.size());
    shutdown(back, SHUT_WR);
    ReadToEnd(back);
  }
  close(back);
}

void Serve(int fd) {
  const std::string line = ReadLine(fd);
  if (line == "ECHO") Echo(fd);
  if (line.rfind("SEND ", 0) == 0) SendPattern(fd, std::strtoul(line.c_str() + 5, nullptr, 10));
  if (line == "SINK") {
    ForgetEnd();
    Sink(fd);
  }
  if (line == "END") TellEnd(fd);
  if (line == "RESET") {
    const linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  if (line == "FIN") {
    shutdown(fd, SHUT_WR);
    ReadToEnd(fd);
  }
  if (line == "HOLD") {
    pollfd waiting = {fd, POLLRDHUP, 0};
    poll(&waiting, 1, -1);
  }
  if (line.rfind("CALL ", 0) == 0) Call(fd, line);
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int listener = socket(AF_INET6, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<uint16_t>(std::atoi(argv[1])));
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener, 128) != 0) {
    std::perror("preload_peer");
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    pollfd waiting[] = {{listener, POLLIN, 0}, {0, POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0) continue;
    if (waiting[1].revents != 0) return 0;
    const int fd = accept(listener, nullptr, nullptr);
    if (fd >= 0) std::thread(Serve, fd).detach();
  }
}
