// SPDX-License-Identifier: Apache-2.0
//
// After fork(), parent and child use the same sockets, as they use the same file descriptions of
// the kernel.
#include <atomic>
#include <thread>
#include <vector>

#include "client/anchor.h"
#include "sharing_fixture.h"

namespace netchannel {
namespace {

constexpr size_t kRecord = 64;

// A record says who wrote it, and which of his it is.
struct Record {
  uint64_t writer, number;
  uint8_t padding[kRecord - 16];
};

bool SendRecords(nc_socket* socket, uint64_t writer, uint64_t count) {
  for (uint64_t number = 0; number < count; ++number) {
    Record record{};
    record.writer = writer;
    record.number = number;
    std::fill(std::begin(record.padding), std::end(record.padding),
              static_cast<uint8_t>(writer + number));
    if (nc_send(socket, &record, sizeof(record), 0) != sizeof(record)) return false;
  }
  return true;
}

TEST_F(SharingTest, AChildSendsAndReceivesOnAnInheritedSocket) {
  const auto pair = Pair();
  const pid_t child = Fork([&] {
    if (Send(pair.second, "question") != 8) return 1;
    return Receive(pair.second, 6) == "answer" ? 0 : 2;
  });
  EXPECT_EQ(Receive(pair.first, 8), "question");
  EXPECT_EQ(Send(pair.first, "answer"), 6);
  EXPECT_EQ(Wait(child), 0);
}

TEST_F(SharingTest, RecordsOfSeveralProcessesDoNotMix) {
  constexpr uint64_t kEach = 20000, kWriters = 3;
  const auto pair = Pair();
  std::vector<pid_t> children;
  for (uint64_t writer = 1; writer < kWriters; ++writer) {
    children.push_back(
        Fork([&, writer] { return SendRecords(pair.first, writer, kEach) ? 0 : 1; }));
  }
  std::thread own([&] { EXPECT_TRUE(SendRecords(pair.first, 0, kEach)); });
  uint64_t next[kWriters] = {};
  for (uint64_t i = 0; i < kEach * kWriters; ++i) {
    Record record;
    ASSERT_EQ(nc_recv(pair.second, &record, sizeof(record), MSG_WAITALL),
              static_cast<ssize_t>(sizeof(record)));
    ASSERT_LT(record.writer, kWriters);
    ASSERT_EQ(record.number, next[record.writer]++);
    ASSERT_EQ(record.padding[20], static_cast<uint8_t>(record.writer + record.number));
  }
  own.join();
  for (const pid_t child : children) EXPECT_EQ(Wait(child), 0);
}

TEST_F(SharingTest, EachByteGoesToOneReader) {
  constexpr uint64_t kCount = 20000;
  const auto pair = Pair();
  int sums[2];
  ASSERT_EQ(pipe(sums), 0);
  const auto read_all = [&] {
    uint64_t got = 0;
    Record record;
    while (nc_recv(pair.second, &record, sizeof(record), 0) == sizeof(record)) ++got;
    return got;
  };
  const pid_t child = Fork([&] {
    const uint64_t got = read_all();
    return write(sums[1], &got, sizeof(got)) == sizeof(got) ? 0 : 1;
  });
  std::thread writer([&] {
    EXPECT_TRUE(SendRecords(pair.first, 1, kCount));
    nc_shutdown(pair.first, SHUT_WR);
  });
  const uint64_t own = read_all();
  writer.join();
  EXPECT_EQ(Wait(child), 0);
  uint64_t others = 0;
  ASSERT_EQ(read(sums[0], &others, sizeof(others)), static_cast<ssize_t>(sizeof(others)));
  EXPECT_EQ(own + others, kCount);
  close(sums[0]);
  close(sums[1]);
}

TEST_F(SharingTest, OptionsAreCommon) {
  const auto pair = Pair();
  const pid_t child = Fork([&] {
    return nc_setopt(pair.first, NC_NONBLOCK, 1) + nc_setopt(pair.first, NC_KEEPIDLE_MS, 77);
  });
  EXPECT_EQ(Wait(child), 0);
  EXPECT_EQ(Get(pair.first, NC_NONBLOCK), 1);
  EXPECT_EQ(Get(pair.first, NC_KEEPIDLE_MS), 77);
}

TEST_F(SharingTest, TheConnectionEndsWithTheLastHolder) {
  const auto pair = Pair();
  const Signal go;
  const pid_t child = Fork([&] {
    go.Await();
    return Send(pair.first, "still here") == 10 ? 0 : 1;
  });
  nc_close(pair.first);
  fake().Settle();
  char byte;
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  go.Give();
  EXPECT_EQ(Receive(pair.second, 100), "still here");  // and then the end
  EXPECT_EQ(Wait(child), 0);
}

TEST_F(SharingTest, ACloseInTheChildIsTheChilds) {
  const auto pair = Pair();
  EXPECT_EQ(Wait(Fork([&] { return nc_close(pair.first) + nc_close(pair.second); })), 0);
  fake().Settle();
  Send(pair.first, "x");
  EXPECT_EQ(Receive(pair.second, 1), "x");
}

TEST_F(SharingTest, LingeringIsForTheLastHolderAlone) {
  const auto pair = Pair();
  nc_setopt(pair.first, NC_LINGER_MS, 60 * 1000);
  const Signal go;
  const pid_t child = Fork([&] {
    go.Await();
    return 0;
  });
  fake().HoldData(true);
  Send(pair.first, "x");
  nc_close(pair.first);  // would wait for what is held back
  fake().HoldData(false);
  EXPECT_EQ(Receive(pair.second, 1), "x");
  go.Give();
  EXPECT_EQ(Wait(child), 0);
}

TEST_F(SharingTest, AShutdownInTheChildWakesAReaderInTheParent) {
  const auto pair = Pair();
  const pid_t child = Fork([&] {
    while ((pair.second->slot->waiters.load() & ipc::kReadWaiter) == 0) sched_yield();
    return nc_shutdown(pair.second, SHUT_RD);
  });
  char byte;
  EXPECT_EQ(nc_recv(pair.second, &byte, 1, 0), 0);
  EXPECT_EQ(Wait(child), 0);
}

TEST_F(SharingTest, ProcessesTakeConnectionsFromOneListener) {
  constexpr int kConnections = 40;
  nc_socket* listener = Listen(7400, kConnections);
  const auto serve_one = [&] {
    nc_socket* accepted = nc_accept(listener, nullptr, nullptr, 0);
    if (accepted == nullptr) return false;
    const bool served = Send(accepted, Receive(accepted, 4)) == 4;
    nc_close(accepted);
    return served;
  };
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(Fork([&] {
      for (int served = 0; served < kConnections / 5; ++served) {
        if (!serve_one()) return 1;
      }
      return 0;
    }));
  }
  std::thread own([&] {
    for (int served = 0; served < kConnections / 5; ++served) EXPECT_TRUE(serve_one());
  });
  for (int i = 0; i < kConnections; ++i) {
    nc_socket* client = nc_socket_create(stack_, 0);
    ASSERT_EQ(Connect(client, 7400), 0);
    Send(client, "ping");
    EXPECT_EQ(Receive(client, 100), "ping");
    nc_close(client);
  }
  own.join();
  for (const pid_t child : children) EXPECT_EQ(Wait(child), 0);
}

TEST_F(SharingTest, AnAcceptedConnectionDiesWithTheChildThatAcceptedIt) {
  nc_socket* listener = Listen(7400);
  nc_socket* client = nc_socket_create(stack_, 0);
  ASSERT_EQ(Connect(client, 7400), 0);
  const Signal accepted;
  const pid_t child = Fork([&] {
    if (nc_accept(listener, nullptr, nullptr, 0) == nullptr) return 1;
    accepted.Give();
    pause();
    return 2;
  });
  accepted.Await();
  Kill(child);
  EXPECT_EQ(Receive(client, 1), "");  // the end of the stream
  EXPECT_EQ(Wait(child), -1);
}

TEST_F(SharingTest, AnInheritedSetIsACopy) {
  const auto pair = Pair();
  nc_set* set = nc_set_create(stack_);
  nc_set_watch(set, pair.second, NC_READ, nullptr);
  const Signal watching;
  const pid_t child = Fork([&] {
    nc_event event{};
    if (nc_set_wait(set, &event, 1, 0) != 0) return 1;
    watching.Give();
    if (nc_set_wait(set, &event, 1, -1) != 1 || event.socket != pair.second) return 2;
    return nc_set_watch(set, pair.second, 0, nullptr) == 0 ? 0 : 3;
  });
  watching.Await();
  Send(pair.first, "x");
  nc_event event{};
  EXPECT_EQ(nc_set_wait(set, &event, 1, -1), 1);
  EXPECT_EQ(Wait(child), 0);
  EXPECT_EQ(nc_set_wait(set, &event, 1, 0), 1);  // what the child removed is its own
}

TEST_F(SharingTest, TheDescriptorOfAnInheritedSetIsTheChildsOwn) {
  const auto pair = Pair();
  nc_set* set = nc_set_create(stack_);
  nc_set_watch(set, pair.second, NC_READ, nullptr);
  const int fd = nc_set_fd(set);
  const Signal polling;
  const pid_t child = Fork([&] {
    nc_event event{};
    if (nc_set_fd(set) != fd || nc_set_wait(set, &event, 1, 0) != 0) return 1;
    polling.Give();
    pollfd poll_fd = {fd, POLLIN, 0};
    int found = 0;
    // In vain, perhaps: the stack may have got the descriptor just before the wait above armed it.
    while (found == 0) {
      if (poll(&poll_fd, 1, -1) != 1) return 2;
      found = nc_set_wait(set, &event, 1, 0);
    }
    return found == 1 ? 0 : 3;
  });
  polling.Await();
  Send(pair.first, "x");
  EXPECT_EQ(Wait(child), 0);
}

TEST_F(SharingTest, ForkingWhileThreadsTransferHarmsNothing) {
  const auto pair = Pair();
  constexpr uint64_t kCount = 200000;
  std::atomic<bool> done{false};
  std::thread writer([&] { EXPECT_TRUE(SendRecords(pair.first, 0, kCount)); });
  std::thread reader([&] {
    for (uint64_t i = 0; i < kCount; ++i) {
      Record record;
      ASSERT_EQ(nc_recv(pair.second, &record, sizeof(record), MSG_WAITALL),
                static_cast<ssize_t>(sizeof(record)));
      ASSERT_EQ(record.number, i);
    }
    done.store(true);
  });
  while (!done.load()) {
    const auto other = Pair();
    ASSERT_EQ(Wait(Fork([&] {
                return Send(other.first, "x") == 1 && Receive(other.second, 1) == "x" ? 0 : 1;
              })),
              0);
    nc_close(other.first);
    nc_close(other.second);
  }
  writer.join();
  reader.join();
}

TEST_F(SharingTest, ADescriptorKeepsTheConnectionAliveWithoutItsHandle) {
  const auto pair = Pair();
  const int fd = nc_socket_fd(pair.first);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(nc_socket_fd(pair.first), fd);
  nc_close(pair.first);
  fake().Settle();
  nc_socket* again = nc_socket_adopt(nullptr, fd);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(Send(again, "x"), 1);
  EXPECT_EQ(Receive(pair.second, 1), "x");
  nc_close(again);
  close(fd);
  EXPECT_EQ(Receive(pair.second, 1), "");
}

TEST_F(SharingTest, TwoHandlesOfOneSocketInOneSetAreBothReported) {
  const auto pair = Pair();
  const int fd = nc_socket_fd(pair.second);
  const int copy = dup(fd);
  nc_socket* other = nc_socket_adopt(nullptr, copy);
  ASSERT_NE(other, nullptr);
  nc_set* set = nc_set_create(stack_);
  nc_set_watch(set, pair.second, NC_READ, nullptr);
  nc_set_watch(set, other, NC_READ | NC_WRITE | NC_EDGE, nullptr);
  nc_event events[4];
  EXPECT_EQ(nc_set_wait(set, events, 4, 0), 1);
  EXPECT_EQ(events[0].socket, other);
  Send(pair.first, "x");
  fake().HoldData(false);
  while (nc_set_wait(set, events, 4, -1) != 2) {
  }
  nc_close(other);
  EXPECT_EQ(nc_set_wait(set, events, 4, 0), 1);
  EXPECT_EQ(events[0].socket, pair.second);
  close(copy);
  close(fd);
}

TEST_F(SharingTest, ADescriptorNamesItsSocketAndLife) {
  const auto pair = Pair();
  const int fd = nc_socket_fd(pair.first);
  const auto name = ReadAnchor(fd);
  ASSERT_TRUE(name);
  EXPECT_EQ(name->region_id, RegionId());
  EXPECT_EQ(name->slot, pair.first->index);
  pair.first->client->generation.fetch_add(1);  // as when the slot has been used anew
  EXPECT_EQ(nc_socket_adopt(nullptr, fd), nullptr);
  EXPECT_EQ(errno, ECONNRESET);
  close(fd);
}

TEST_F(SharingTest, AStrangersDescriptorIsNotAdopted) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  for (const int fd : {ends[0], 0, -1}) {
    EXPECT_EQ(nc_socket_adopt(nullptr, fd), nullptr);
    EXPECT_EQ(errno, ENOTSOCK);
  }
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace netchannel
