// SPDX-License-Identifier: Apache-2.0
//
// Echo over NetChannel in C++: a thread a client; the client measures round trips.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include "netchannel/netchannel.hpp"

namespace {

int Fail(const std::string& what, const std::error_code& ec) {
  std::cerr << "echo: " << what << ": " << ec.message() << "\n";
  return 1;
}

void Answer(nc::Socket client) {
  std::error_code ec;
  std::vector<char> bytes(65536);
  while (const size_t got = client.Receive(bytes.data(), bytes.size(), ec)) {
    if (client.Send(bytes.data(), got, ec) != got) break;
  }
}

// Serves `clients` connections, then ends.
int Serve(const nc::Stack& stack, uint16_t port, int clients) {
  std::error_code ec;
  nc::Socket listener = nc::Socket::Create(stack, ec);
  if (!listener) return Fail("create", ec);
  if (!listener.Bind(nc::Address::Parse("0.0.0.0", port), ec)) return Fail("bind", ec);
  if (!listener.Listen(128, ec)) return Fail("listen", ec);
  std::list<std::thread> threads;
  for (int i = 0; i < clients; ++i) {
    nc::Address peer;
    nc::Socket client = listener.Accept(ec, &peer);
    if (!client) return Fail("accept", ec);
    std::cout << "echo: " << peer.ToString() << " connected" << std::endl;
    threads.emplace_back(Answer, std::move(client));
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

int Ping(const nc::Stack& stack, const nc::Address& server, int count) {
  std::error_code ec;
  nc::Socket socket = nc::Socket::Create(stack, ec);
  if (!socket || !socket.SetOption(NC_CLASS, 1, ec)) return Fail("create", ec);
  if (!socket.Connect(server, ec)) return Fail("connect to " + server.ToString(), ec);
  char bytes[64] = "hello over NetChannel";
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    if (socket.Send(bytes, sizeof(bytes), ec) != sizeof(bytes)) return Fail("send", ec);
    if (socket.Receive(bytes, sizeof(bytes), ec, MSG_WAITALL) != sizeof(bytes))
      return Fail("receive", ec);
  }
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  std::cout << '"' << bytes << "\": " << count << " round trips, " << took.count() / count
            << " us each\n";
  return 0;
}

int Usage() {
  std::cerr << "usage: echo server INTERFACE PORT [CLIENTS]\n"
               "       echo client INTERFACE IP PORT [COUNT]\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  const bool server = (argc == 4 || argc == 5) && arguments[1] == "server";
  const bool client = (argc == 5 || argc == 6) && arguments[1] == "client";
  if (!server && !client) return Usage();
  std::error_code ec;
  const nc::Stack stack = nc::Stack::Start(arguments[2], ec);
  if (!stack) {
    std::cerr << "echo: " << nc::LastError() << "\n";
    return 1;
  }
  if (server) {
    const int clients = argc == 5 ? std::atoi(argv[4]) : 1;
    return Serve(stack, static_cast<uint16_t>(std::atoi(argv[3])), clients);
  }
  const auto port = static_cast<uint16_t>(std::atoi(argv[4]));
  const int count = argc == 6 ? std::max(std::atoi(argv[5]), 1) : 1000;
  return Ping(stack, nc::Address::Parse(arguments[3], port), count);
}
