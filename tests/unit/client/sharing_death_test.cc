// SPDX-License-Identifier: Apache-2.0
//
// What remains when a process that shares sockets, or the daemon, is killed; and what a forked
// child has of an embedded stack.
#include <sys/eventfd.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "ipc/calls.h"
#include "ipc/fence.h"
#include "ipc/owner.h"
#include "sharing_fixture.h"

namespace netchannel {
namespace {

#if defined(NC_THREAD_SANITIZER)
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif

using SharingDeathTest = SharingTest;

TEST_F(SharingDeathTest, ALockOfTheDeadIsTakenOver) {
  const auto pair = Pair();
  const Signal held;
  const pid_t child = Fork([&] {
    Lock(&pair.first->client->send_lock);
    held.Give();
    pause();
    return 0;
  });
  held.Await();
  Kill(child);  // nobody has waited for it when we send
  EXPECT_EQ(Send(pair.first, "x"), 1);
  EXPECT_EQ(Receive(pair.second, 1), "x");
  EXPECT_EQ(Wait(child), -1);
}

TEST_F(SharingDeathTest, ALockOfAStoppedProcessIsWaitedFor) {
  const auto pair = Pair();
  const Signal held, go;
  const pid_t child = Fork([&] {
    Lock(&pair.first->client->send_lock);
    held.Give();
    go.Await();
    UnlockAndFence(&pair.first->client->send_lock);
    return 0;
  });
  held.Await();
  kill(child, SIGSTOP);
  std::atomic<bool> sent{false};
  std::thread sender([&] {
    EXPECT_EQ(Send(pair.first, "x"), 1);
    sent.store(true);
  });
  // Longer than a waiter's patience, thrice.
  EXPECT_EQ(poll(nullptr, 0, 160), 0);
  EXPECT_FALSE(sent.load());
  kill(child, SIGCONT);
  go.Give();
  sender.join();
  EXPECT_EQ(Wait(child), 0);
}

class KilledSendersTest : public SharingTest {
 protected:
  void SetUp() override {
    FakeStack::Setup setup;
    setup.inspects = true;
    Start(setup);
  }
};

// Senders are killed at random moments; what they have sent are whole records, and those who live
// go on.
TEST_F(KilledSendersTest, LeaveWholeRecordsAndHarmNobody) {
  if (kThreadSanitizer) {
    GTEST_SKIP() << "the thread sanitizer does not see what another process has synchronised with: "
                    "that the stack was done with a part of the ring";
  }
  constexpr int kKills = 150;
  constexpr size_t kRecord = 64;
  const auto pair = Pair();
  std::atomic<bool> over{false};
  std::atomic<uint64_t> own_sent{0};
  std::thread own([&] {
    std::vector<uint8_t> record(kRecord, 0xff);
    while (!over.load()) {
      ASSERT_EQ(nc_send(pair.first, record.data(), kRecord, 0), static_cast<ssize_t>(kRecord));
      own_sent.fetch_add(1);
    }
    nc_shutdown(pair.first, SHUT_WR);
  });
  uint64_t own_received = 0;
  std::thread reader([&] {
    std::vector<uint8_t> record(kRecord);
    ssize_t got;
    while ((got = nc_recv(pair.second, record.data(), kRecord, MSG_WAITALL)) > 0) {
      ASSERT_EQ(got, static_cast<ssize_t>(kRecord));
      for (const uint8_t byte : record) ASSERT_EQ(byte, record[0]);
      own_received += record[0] == 0xff ? 1 : 0;
    }
    ASSERT_EQ(got, 0);
  });
  std::minstd_rand random(1);
  for (int kill_number = 0; kill_number < kKills; ++kill_number) {
    const pid_t child = Fork([&] {
      std::vector<uint8_t> record(kRecord, static_cast<uint8_t>(kill_number));
      while (nc_send(pair.first, record.data(), kRecord, 0) > 0) {
      }
      return 1;
    });
    const timespec moment = {0, static_cast<long>(random() % 3000000)};
    nanosleep(&moment, nullptr);
    Kill(child);
    EXPECT_EQ(Wait(child), -1);
  }
  over.store(true);
  own.join();
  reader.join();
  EXPECT_EQ(own_received, own_sent.load());
}

// A child that dies with all slots of calls, one of them with an answer that names a new socket: as
// soon as somebody needs a slot they are free again, and the socket is closed.
class DeadCallTest : public SharingDeathTest {
 protected:
  void Expect(ipc::Op op, int error, ipc::CallState answered) {
    nc_socket* orphan = nc_socket_create(stack_, 0);
    const uint32_t open_before = fake().OpenSlots();
    const pid_t child = Fork([&] {
      for (uint32_t index = 0; index < ipc::kCalls; ++index) {
        ipc::Call* call = orphan->home->region.call(index);
        call->owner.store(ipc::ThisThread());
        const auto other = index % 2 == 0 ? ipc::CallState::kFilling : ipc::CallState::kDone;
        call->op = static_cast<uint32_t>(index == 1 ? op : ipc::Op::kClose);
        call->error = index == 1 ? error : 0;
        call->result_socket = orphan->index;
        call->state.store(static_cast<uint32_t>(index == 1 ? answered : other));
      }
      return 0;
    });
    EXPECT_EQ(Wait(child), 0);
    EXPECT_NE(nc_socket_create(stack_, 0), nullptr);
    EXPECT_EQ(fake().OpenSlots(), open_before);
  }
};

TEST_F(DeadCallTest, WhatTheDeadCreatedIsClosed) {
  Expect(ipc::Op::kCreate, 0, ipc::CallState::kDone);
}

TEST_F(DeadCallTest, WhatTheDeadOpenedIsClosed) {
  Expect(ipc::Op::kOpen, EINPROGRESS, ipc::CallState::kDone);
}

TEST_F(DeadCallTest, WhatTheDeadWereOpeningIsClosed) {
  Expect(ipc::Op::kOpen, EINPROGRESS, ipc::CallState::kHeld);
}

TEST_F(SharingDeathTest, ConnectionsThatTheDeadWereAboutToAcceptAreClosed) {
  if (kThreadSanitizer) {
    GTEST_SKIP() << "the thread sanitizer does not see what another process has synchronised with: "
                    "that a call of the dead was taken over";
  }
  nc_socket* listener = Listen(7400);
  nc_socket* client = nc_socket_create(stack_, 0);
  ASSERT_EQ(Connect(client, 7400), 0);
  // Killed between taking the connection and anchoring it.
  const pid_t dead = Fork([&] {
    ipc::SocketSlot* slot = listener->slot;
    uint32_t index = 0;
    std::memcpy(&index, listener->receive_ring.base, sizeof(index));
    listener->home->region.client(index)->claim.store(ipc::ThisProcess());
    slot->consumed.fetch_add(ipc::kAcceptEntrySize);
    listener->home->header->claims.fetch_add(1);
    listener->home->header->slots_seen.store(index + 1);
    return 0;
  });
  EXPECT_EQ(Wait(dead), 0);
  listener->home->header->claims.fetch_add(100);  // of others that died alike
  nc_socket* next = nc_socket_create(stack_, 0);
  ASSERT_EQ(Connect(next, 7400), 0);
  EXPECT_EQ(Wait(Fork([&] { return nc_accept(listener, nullptr, nullptr, 0) != nullptr ? 0 : 1; })),
            0);
  EXPECT_EQ(Receive(client, 1), "");
}

TEST_F(SharingDeathTest, WaitSetsOfTheDeadAreUsedAgain) {
  const auto pair = Pair();
  const pid_t child = Fork([&] {
    for (int i = 0; i < 256; ++i) {
      nc_set* set = nc_set_create(stack_);
      if (set == nullptr || nc_set_watch(set, pair.second, NC_READ, nullptr) != 0) return 1;
    }
    return 0;
  });
  EXPECT_EQ(Wait(child), 0);
  Send(pair.first, "x");
  Receive(pair.second, 1);
  for (int i = 0; i < 256; ++i) {
    nc_set* set = nc_set_create(stack_);
    ASSERT_NE(set, nullptr);
    ASSERT_EQ(nc_set_watch(set, pair.second, NC_READ, nullptr), 0);
    nc_event event{};
    EXPECT_EQ(nc_set_wait(set, &event, 1, 0), 0);
  }
  Send(pair.first, "y");
}

TEST_F(SharingDeathTest, WhenTheDaemonDiesSleepersGetEconnreset) {
  const auto pair = Pair();
  std::thread reader([&] {
    char byte;
    EXPECT_EQ(nc_recv(pair.second, &byte, 1, 0), -1);
    EXPECT_EQ(errno, ECONNRESET);
    EXPECT_EQ(nc_recv(pair.second, &byte, 1, 0), 0);
  });
  while (pair.second->slot->waiters.load() == 0) sched_yield();
  fake().Die();
  reader.join();
  EXPECT_EQ(Send(pair.first, "x"), -1);
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_EQ(Send(pair.first, "x"), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(nc_socket_create(stack_, 0), nullptr);
  EXPECT_EQ(errno, ENETDOWN);
}

TEST_F(SharingDeathTest, WhenTheDaemonDiesSetsReportTheirSocketsOnce) {
  const auto pair = Pair();
  nc_set* set = nc_set_create(stack_);
  nc_set_watch(set, pair.second, NC_READ | NC_EDGE, nullptr);
  std::thread world([&] {
    // The set's descriptor is with the daemon, and the waiter asleep.
    fake().Settle();
    while (pair.second->home->region.wait_set(0)->sleeping.load() == 0) sched_yield();
    fake().Die();
  });
  nc_event event{};
  EXPECT_EQ(nc_set_wait(set, &event, 1, -1), 1);
  EXPECT_EQ(event.events, NC_READ | NC_HANGUP | NC_FAILED);
  world.join();
  EXPECT_EQ(nc_set_wait(set, &event, 1, -1), -1);
  EXPECT_EQ(errno, ENETDOWN);
}

class EmbeddedForkTest : public SharingTest {
 protected:
  void SetUp() override {
    FakeStack::next_setup = {};
    stack_ = nc_stack_start("fake0", nullptr);
    ASSERT_NE(stack_, nullptr);
  }
};

TEST_F(EmbeddedForkTest, TheChildIsRefusedAndTheParentDoesNotNotice) {
  const auto pair = Pair();
  nc_set* set = nc_set_create(stack_);
  nc_set_watch(set, pair.second, NC_READ, nullptr);
  Send(pair.first, "before");
  const pid_t child = Fork([&] {
    if (Send(pair.first, "child") != -1 || errno != ENOTCONN) return 1;
    if (!Receive(pair.second, 6).empty()) return 2;
    if (nc_socket_create(stack_, 0) != nullptr || errno != ENETDOWN) return 3;
    if (nc_accept(listener_, nullptr, nullptr, 0) != nullptr) return 4;
    nc_event event{};
    if (nc_set_wait(set, &event, 1, 0) < 0 && errno != ENETDOWN) return 5;
    nc_stack_stop(stack_);
    return 0;
  });
  EXPECT_EQ(Wait(child), 0);
  EXPECT_EQ(Receive(pair.second, 6), "before");
  EXPECT_EQ(Send(pair.second, "after"), 5);
  EXPECT_EQ(Receive(pair.first, 5), "after");
}

TEST_F(EmbeddedForkTest, ItsSocketsHaveNoDescriptor) {
  const auto pair = Pair();
  EXPECT_EQ(nc_socket_fd(pair.first), -1);
  EXPECT_EQ(errno, ENOTSUP);
}

}  // namespace
}  // namespace netchannel
