// SPDX-License-Identifier: Apache-2.0
//
// Behaviour of a running stack as an application sees it: threads, leases, and that nothing is
// left. How it sleeps: sleeping_stack_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "stack_pair_calls.h"

namespace netchannel {
namespace {

std::vector<char> ReceiveAll(nc_socket* socket) {
  std::vector<char> bytes;
  std::vector<char> part(64 * 1024);
  while (true) {
    const ssize_t n = nc_recv(socket, part.data(), part.size(), 0);
    EXPECT_GE(n, 0) << std::strerror(errno);
    if (n <= 0) return bytes;
    bytes.insert(bytes.end(), part.begin(), part.begin() + n);
  }
}

void ExpectSame(const std::vector<char>& received, const std::vector<char>& sent) {
  ASSERT_EQ(received.size(), sent.size());
  const auto differs = std::mismatch(received.begin(), received.end(), sent.begin());
  EXPECT_TRUE(differs.first == received.end())
      << "the first byte that differs is at " << differs.first - received.begin();
}

// A stream of `size` bytes from a to b arrives as it was sent, and ends.
void ExpectIntactStream(StackPair& pair, size_t size) {
  const std::vector<char> sent = Pattern(1, size);
  std::vector<char> received;
  Converse(
      pair, 7000,
      [&](nc_socket* socket) {
        SendAll(socket, sent);
        EXPECT_EQ(nc_shutdown(socket, SHUT_WR), 0);
      },
      [&](nc_socket* socket) { received = ReceiveAll(socket); });
  ExpectSame(received, sent);
}

TEST(RunningStack, BytesArriveInOrderAndEndWithTheStream) {
  StackPair pair;
  ExpectIntactStream(pair, 8 << 20);
}

TEST(RunningStack, APeerSendsNoMoreAheadThanTheReceiveBufferAllows) {
  constexpr int kBuffer = 20'000;
  StackPair pair;
  const std::vector<char> sent = Pattern(1, 1 << 20);
  nc_socket* listener = Listen(pair.b(), 7000);
  EXPECT_EQ(nc_setopt(listener, NC_RECEIVE_BUFFER, kBuffer), 0);
  nc_socket* writer = Connect(pair.a(), "10.0.0.2", 7000);
  nc_socket* reader = nc_accept(listener, nullptr, nullptr, 0);
  int in_force = 0;
  nc_getopt(reader, NC_RECEIVE_BUFFER, &in_force);
  EXPECT_EQ(in_force, kBuffer) << "as its listener";
  std::thread sender([&] {
    SendAll(writer, sent);
    EXPECT_EQ(nc_shutdown(writer, SHUT_WR), 0);
  });
  const auto waiting = [&] {
    int bytes = 0;
    nc_getopt(reader, NC_RECEIVE_QUEUE, &bytes);
    EXPECT_LE(bytes, kBuffer);
    return bytes;
  };
  while (waiting() < kBuffer / 2) std::this_thread::yield();
  for (int look = 0; look < 1000; ++look) {
    waiting();
    std::this_thread::yield();
  }
  const std::vector<char> received = ReceiveAll(reader);  // the rest comes window by window
  sender.join();
  ExpectSame(received, sent);
}

TEST(RunningStack, StreamWorksWithoutLentThreads) {
  Config config;
  config.lend = false;
  StackPair pair(config);
  ExpectIntactStream(pair, 2 << 20);
}

TEST(RunningStack, EachMessageIsAnsweredWhileBothEndsBlock) {
  StackPair pair;
  constexpr int kRounds = 2000;
  Converse(
      pair, 7000,
      [&](nc_socket* socket) {
        for (int i = 0; i < kRounds; ++i) {
          int answer = 0;
          ASSERT_EQ(nc_send(socket, &i, sizeof(i), 0), static_cast<ssize_t>(sizeof(i)));
          ASSERT_EQ(nc_recv(socket, &answer, sizeof(answer), MSG_WAITALL),
                    static_cast<ssize_t>(sizeof(answer)));
          ASSERT_EQ(answer, i + 1);
        }
      },
      [&](nc_socket* socket) {
        int question = 0;
        while (nc_recv(socket, &question, sizeof(question), MSG_WAITALL) ==
               static_cast<ssize_t>(sizeof(question))) {
          const int answer = question + 1;
          ASSERT_EQ(nc_send(socket, &answer, sizeof(answer), 0),
                    static_cast<ssize_t>(sizeof(answer)));
        }
      });
}

// Small sends in a row are rung for once in many: none may be left
// behind.
TEST(RunningStack, ManySmallSendsInARowAllArrive) {
  StackPair pair;
  constexpr size_t kMessages = 100000;
  constexpr size_t kSize = 64;
  size_t received = 0;
  Converse(
      pair, 7000,
      [&](nc_socket* socket) {
        const std::vector<char> message(kSize, 'm');
        for (size_t i = 0; i < kMessages; ++i) {
          ASSERT_EQ(nc_send(socket, message.data(), kSize, 0), static_cast<ssize_t>(kSize));
        }
        EXPECT_EQ(nc_shutdown(socket, SHUT_WR), 0);
      },
      [&](nc_socket* socket) { received = ReceiveAll(socket).size(); });
  EXPECT_EQ(received, kMessages * kSize);
}

// One thread of each application waits in recv (and is lent) while another sends on the same
// socket.
// A sender of message after message rings once for many of them. What it has not rung for must
// leave although it makes no further call.
TEST(RunningStack, TheEndOfABurstLeavesWithoutAnotherCall) {
  StackPair stacks;
  nc_socket* const listener = Listen(stacks.b(), 7000);
  nc_socket* const sender = Connect(stacks.a(), "10.0.0.2", 7000);
  nc_socket* const receiver = nc_accept(listener, nullptr, nullptr, 0);
  ASSERT_NE(receiver, nullptr);
  constexpr int kPatienceMs = 10'000;
  ASSERT_EQ(nc_setopt(receiver, NC_RECEIVE_TIMEOUT_MS, kPatienceMs), 0);
  for (const size_t messages : {1, 17, 40, 500, 3000, 20'000}) {
    for (uint64_t i = 0; i < messages; ++i) ASSERT_EQ(nc_send(sender, &i, sizeof(i), 0), 8);
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < messages; ++i) {
      uint64_t got = 0;
      ASSERT_EQ(nc_recv(receiver, &got, sizeof(got), MSG_WAITALL), 8) << i << " of " << messages;
      wrong += got != i;
    }
    EXPECT_EQ(wrong, 0u);
  }
  nc_close(sender);
  nc_close(receiver);
  nc_close(listener);
}

TEST(RunningStack, BothDirectionsRunWithAThreadEach) {
  StackPair pair;
  const std::vector<char> sent = Pattern(3, 2 << 20);
  std::vector<char> at_a, at_b;
  const auto both = [&](nc_socket* socket, std::vector<char>* received) {
    std::thread sender([&] {
      SendAll(socket, sent);
      EXPECT_EQ(nc_shutdown(socket, SHUT_WR), 0);
    });
    *received = ReceiveAll(socket);
    sender.join();
  };
  Converse(
      pair, 7000, [&](nc_socket* socket) { both(socket, &at_a); },
      [&](nc_socket* socket) { both(socket, &at_b); });
  ExpectSame(at_a, sent);
  ExpectSame(at_b, sent);
}

TEST(RunningStack, ManyConnectionsRunSideBySide) {
  StackPair pair;
  std::vector<std::thread> threads;
  std::atomic<int> intact{0};
  constexpr int kConnections = 8;
  for (int i = 0; i < kConnections; ++i) {
    threads.emplace_back([&, i] {
      const std::vector<char> sent = Pattern(static_cast<uint64_t>(i), 256 << 10);
      Converse(
          pair, static_cast<uint16_t>(7000 + i),
          [&](nc_socket* socket) {
            SendAll(socket, sent);
            EXPECT_EQ(nc_shutdown(socket, SHUT_WR), 0);
          },
          [&](nc_socket* socket) { intact += ReceiveAll(socket) == sent ? 1 : 0; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(intact, kConnections);
}

// A name as getsockname and getpeername give it, with the length.
template <typename Name>
std::pair<sockaddr_storage, socklen_t> NameOf(nc_socket* socket, Name name) {
  std::pair<sockaddr_storage, socklen_t> result{{}, sizeof(sockaddr_storage)};
  EXPECT_EQ(name(socket, reinterpret_cast<sockaddr*>(&result.first), &result.second), 0);
  return result;
}

std::string TextOf(const std::pair<sockaddr_storage, socklen_t>& name) {
  char text[INET6_ADDRSTRLEN] = {};
  const auto* address = &name.first;
  const void* bytes =
      address->ss_family == AF_INET
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr)
          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
  return inet_ntop(address->ss_family, bytes, text, sizeof(text));
}

// One listener on :: and a connection over each family, with data in both directions on both at
// once.
TEST(RunningStack, AConnectionOverEachFamilyRunsAtTheSameTime) {
  StackPair pair;
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(7000);
  nc_socket* listener = nc_socket_create(pair.b(), 0);
  ASSERT_EQ(nc_bind(listener, reinterpret_cast<const sockaddr*>(&any), sizeof(any)), 0);
  ASSERT_EQ(nc_listen(listener, 16), 0);

  sockaddr_in6 v6 = any;
  ASSERT_EQ(inet_pton(AF_INET6, "fd00::2", &v6.sin6_addr), 1);
  nc_socket* clients[2] = {Connect(pair.a(), "10.0.0.2", 7000), nc_socket_create(pair.a(), 0)};
  ASSERT_EQ(nc_connect(clients[1], reinterpret_cast<const sockaddr*>(&v6), sizeof(v6)), 0)
      << std::strerror(errno);
  EXPECT_EQ(TextOf(NameOf(clients[0], nc_getsockname)), "10.0.0.1");
  EXPECT_EQ(TextOf(NameOf(clients[1], nc_getsockname)), "fd00::1");
  nc_socket* servers[2];
  std::set<std::string> peers;
  for (nc_socket*& server : servers) {
    server = nc_accept(listener, nullptr, nullptr, 0);
    ASSERT_NE(server, nullptr) << std::strerror(errno);
    peers.insert(TextOf(NameOf(server, nc_getpeername)));
  }
  EXPECT_EQ(peers, (std::set<std::string>{"10.0.0.1", "fd00::1"}));

  std::vector<char> echoed[2];
  std::vector<std::thread> threads;
  for (nc_socket* server : servers) {
    threads.emplace_back([server] {
      SendAll(server, ReceiveAll(server));
      EXPECT_EQ(nc_close(server), 0);
    });
  }
  for (size_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      SendAll(clients[i], Pattern(i, 1 << 20));
      EXPECT_EQ(nc_shutdown(clients[i], SHUT_WR), 0);
      echoed[i] = ReceiveAll(clients[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < 2; ++i) {
    ExpectSame(echoed[i], Pattern(i, 1 << 20));
    nc_close(clients[i]);
  }
  nc_close(listener);
}

// Each socket of b has a stream, so what is left of its stream table is for refusals only.
TEST(RunningStack, AHostWhoseSocketsAllHaveStreamsStillRefusesAloud) {
  constexpr uint32_t kSocketsOfB = 16;
  StackPair pair(Config(), kSocketsOfB);
  nc_socket* listener = Listen(pair.b(), 7000);
  std::vector<nc_socket*> sockets;
  while (sockets.size() < 2 * (kSocketsOfB - 1)) {
    sockets.push_back(Connect(pair.a(), "10.0.0.2", 7000));
    sockets.push_back(nc_accept(listener, nullptr, nullptr, 0));
    ASSERT_NE(sockets.back(), nullptr) << std::strerror(errno);
  }
  nc_close(listener);
  sockets.push_back(Listen(pair.a(), 7000));
  sockets.push_back(Connect(pair.b(), "10.0.0.1", 7000));
  ASSERT_EQ(nc_socket_create(pair.b(), 0), nullptr);
  nc_socket* refused = nc_socket_create(pair.a(), 0);
  const sockaddr_in address = Address("10.0.0.2", 7000);
  EXPECT_EQ(nc_connect(refused, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  nc_close(refused);
  for (nc_socket* socket : sockets) nc_close(socket);
}

// What a closed socket has written is delivered although its stack is stopped at once.
TEST(RunningStack, StopDeliversWhatClosedSocketsHaveWritten) {
  StackPair pair;
  const std::vector<char> sent = Pattern(4, 512 << 10);
  std::vector<char> received;
  nc_socket* listener = Listen(pair.b(), 7000);
  std::atomic<bool> stopped{false};
  std::thread server([&] {
    nc_socket* socket = nc_accept(listener, nullptr, nullptr, 0);
    ASSERT_NE(socket, nullptr);
    while (!stopped)
      std::this_thread::yield();  // so that nothing has been read when the stack ends
    received = ReceiveAll(socket);
    nc_close(socket);
  });
  nc_socket* socket = Connect(pair.a(), "10.0.0.2", 7000);
  SendAll(socket, sent);
  std::thread reader_starts([&] { stopped = true; });
  EXPECT_EQ(nc_close(socket), 0);
  pair.StopA();
  reader_starts.join();
  server.join();
  nc_close(listener);
  ExpectSame(received, sent);
}

TEST(RunningStack, ConnectToAPortWithoutAListenerIsRefused) {
  StackPair pair;
  nc_socket* socket = nc_socket_create(pair.a(), 0);
  const sockaddr_in address = Address("10.0.0.2", 9);
  EXPECT_EQ(nc_connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  nc_close(socket);
}

}  // namespace
}  // namespace netchannel
