// SPDX-License-Identifier: Apache-2.0
//
// Closes that do not end, of one user, and the others'.
#include "daemon/closer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "control_place.h"
#include "daemon/privileges.h"
#include "lingering.h"

namespace netchannel {
namespace {

constexpr uid_t kHangs = 1, kOther = 2;

UniqueFd Harmless() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// Tells when it has been closed.
struct Witness {
  Witness() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }
  bool IsClosed(int patience_ms) const {
    pollfd events = {reader.get(), POLLIN, 0};
    return poll(&events, 1, patience_ms) == 1;
  }
  UniqueFd reader, writer;
};

class CloserTest : public testing::Test {
 protected:
  static constexpr int kPatienceMs = 10'000;

  void SetUp() override { RaiseFileLimit(); }
  // Closes that go on until their peers are let go.
  void Hang(Closer& closer, uid_t user, int count) {
    for (int i = 0; i < count; ++i) {
      Lingering lingering;
      closer.Close(user, std::move(lingering.end));
      peers_.push_back(std::move(lingering.peer));
    }
  }
  std::vector<UniqueFd> peers_;
};

TEST_F(CloserTest, AUsersClosesThatDoNotEndKeepNobodyElsesFromEnding) {
  Closer closer;
  Hang(closer, kHangs, Closer::kMaxThreads + 1);
  for (int i = 0; i < 2; ++i) {
    Witness witness;
    closer.Close(kOther, std::move(witness.writer));
    EXPECT_TRUE(witness.IsClosed(kPatienceMs));
  }
}

TEST_F(CloserTest, WhatWaitsIsBoundedAndClosedWhenItCanBe) {
  Closer closer;
  Hang(closer, kHangs, Closer::kThreadsOfUser);
  for (size_t i = 0; i < Closer::kMaxWaiting - 1; ++i) closer.Close(kHangs, Harmless());
  closer.Look();
  closer.Look();
  Witness last;
  closer.Close(kHangs, std::move(last.writer));
  // The first four may not have begun.
  for (int i = 0; i < Closer::kThreadsOfUser; ++i) closer.Close(kHangs, Harmless());
  ASSERT_TRUE(closer.MustWait(kHangs));
  EXPECT_TRUE(closer.IsStuck(kHangs));
  EXPECT_FALSE(closer.MustWait(kOther));
  EXPECT_FALSE(closer.IsStuck(kOther));
  peers_.clear();
  EXPECT_TRUE(last.IsClosed(kPatienceMs));
  while (closer.MustWait(kHangs)) sched_yield();
  EXPECT_FALSE(closer.IsStuck(kHangs));
}

TEST_F(CloserTest, WhoseClosesGoOnIsNotStuckHoweverMany) {
  Closer closer;
  Hang(closer, kHangs, Closer::kThreadsOfUser - 1);
  Witness witness;
  closer.Close(kHangs, std::move(witness.writer));
  EXPECT_TRUE(witness.IsClosed(kPatienceMs)) << "there is a thread left";
  closer.Look();
  EXPECT_FALSE(closer.IsStuck(kHangs));
}

// In one message, with nonsense: the daemon ends the connection.
void SendInNonsense(fuzz::Program& program, const std::vector<UniqueFd>& descriptors) {
  char nonsense[7] = {};
  iovec part{nonsense, sizeof(nonsense)};
  std::vector<char> control(CMSG_SPACE(descriptors.size() * sizeof(int)));
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  for (size_t i = 0; i < descriptors.size(); ++i) {
    const int fd = descriptors[i].get();
    std::memcpy(CMSG_DATA(head) + i * sizeof(int), &fd, sizeof(fd));
  }
  ASSERT_EQ(sendmsg(program.connection(), &message, MSG_DONTWAIT),
            static_cast<ssize_t>(sizeof(nonsense)))
      << std::strerror(errno);
}

// What a new connection is told; empty: nothing, or it is welcome.
std::string RefusalOf(fuzz::Place& place) {
  fuzz::Program program(&place);
  program.Hello(ipc::HelloPurpose::kNewRegion, {});
  place.world().Step();
  ipc::RefusalMessage refusal{};
  const ssize_t size = recv(program.connection(), &refusal, sizeof(refusal), MSG_DONTWAIT);
  const bool refused = size == static_cast<ssize_t>(sizeof(refusal)) &&
                       refusal.head.type == ipc::ControlType::kRefusal;
  return refused ? refusal.text : "";
}

TEST_F(CloserTest, WhoseDescriptorsDoNotCloseIsRefusedWithTheReason) {
  fuzz::Place place(1, {});
  for (int i = 0; i < Closer::kThreadsOfUser; ++i) {
    Lingering lingering;
    std::vector<UniqueFd> one;
    one.push_back(std::move(lingering.end));
    fuzz::Program program(&place);
    SendInNonsense(program, one);
    one.clear();  // the last close is the daemon's
    place.world().Step(2);
    peers_.push_back(std::move(lingering.peer));
  }
  constexpr size_t kAtOnce = 250;
  std::vector<UniqueFd> many;
  while (many.size() < kAtOnce) many.push_back(Harmless());
  for (size_t sent = 0; sent < Closer::kMaxWaiting; sent += kAtOnce) {
    fuzz::Program program(&place);
    SendInNonsense(program, many);
    place.world().Step(2);
  }
  // Two looks.
  for (int i = 0; i < 2; ++i) place.Advance(Duration::Seconds(1));
  EXPECT_NE(RefusalOf(place).find("do not close"), std::string::npos);
  peers_.clear();
  while (!RefusalOf(place).empty()) sched_yield();
}

}  // namespace
}  // namespace netchannel
