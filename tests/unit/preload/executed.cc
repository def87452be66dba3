// SPDX-License-Identifier: Apache-2.0
#include "executed.h"

#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "calls_fixture.h"

namespace {

int Greet(bool synced) {
  if (!synced) std::ios_base::sync_with_stdio(false);
  std::string line;
  if (!std::getline(std::cin, line)) return 2;
  std::cout << "hello " << line << std::endl;
  return std::cout ? 0 : 3;
}

}  // namespace

int AcceptAll(int listener, int count, std::string_view text, bool is_virtual) {
  pollfd waiting = {listener, POLLIN, 0};
  if (poll(&waiting, 1, 0) != 0) return 2;
  std::puts("ready");
  std::fflush(stdout);
  for (int i = 0; i < count; ++i) {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd < 0) return 3;
    if (IsVirtual(fd) != is_virtual) return 4;
    std::string found(text.size(), '\0');
    if (recv(fd, found.data(), found.size(), MSG_WAITALL) != static_cast<ssize_t>(text.size()) ||
        found != text) {
      return 5;
    }
    close(fd);
  }
  return 0;
}

bool PlayRole(int argc, char** argv, int* code) {
  const std::string_view role = argc > 1 ? argv[1] : "";
  if (role == kGreetRole) {
    *code = Greet(argc == 2);
  } else if (role == kAcceptRole && argc >= 6) {
    const int listener = std::atoi(argv[2]);
    if (argc > 6 && listen(listener, 16) != 0) {
      *code = 1;
    } else {
      *code = AcceptAll(listener, std::atoi(argv[3]), argv[4],
                        std::string_view(argv[5]) == "netchannel");
    }
  } else {
    return false;
  }
  return true;
}
