// SPDX-License-Identifier: Apache-2.0
//
// Who says much on the control socket, and the others. What is served is counted in polls at one
// moment of virtual time.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "control_place.h"
#include "daemon/control_turns.h"

namespace netchannel {
namespace {

using fuzz::Place;
using fuzz::Program;

constexpr uid_t kStranger = 1;

// Connects as another user. As root only; of this thread.
std::unique_ptr<Program> ConnectAs(uid_t user, Place* place) {
  const uid_t own = geteuid();
  EXPECT_EQ(syscall(SYS_setresuid, -1, user, -1), 0);
  auto program = std::make_unique<Program>(place);
  EXPECT_EQ(syscall(SYS_setresuid, -1, own, -1), 0);
  return program;
}

class ControlFairnessTest : public testing::Test {
 protected:
  std::unique_ptr<Program> Welcome() {
    auto program = std::make_unique<Program>(&place_);
    program->Hello(ipc::HelloPurpose::kNewRegion, {});
    place_.world().Step();
    program->Hear();
    EXPECT_TRUE(program->may_call());
    return program;
  }
  // As many messages as its socket takes.
  int Flood(Program& program) {
    const ipc::WaitSetMessage message{ipc::ControlType::kWaitSet, 0};
    int sent = 0;
    while (program.Send(&message, sizeof(message), {event_.get()})) ++sent;
    return sent;
  }
  void Poll() { place_.server().Poll(place_.world().now()); }
  // Polls until `program` has an answer to its Hello.
  int PollsUntilWelcome(Program& program, int most) {
    program.Hello(ipc::HelloPurpose::kNewRegion, {});
    int polls = 0;
    for (; polls < most && !program.may_call(); ++polls) {
      Poll();
      program.Hear();
    }
    return polls;
  }

  const UniqueFd event_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Place place_{1, {}};
};

TEST_F(ControlFairnessTest, OneWhoSaysLittleIsHeardBetweenThoseWhoSayMuch) {
  std::vector<std::unique_ptr<Program>> loud;
  for (int i = 0; i < 6; ++i) loud.push_back(Welcome());
  Program quiet(&place_);
  int waiting = 0;
  for (const auto& program : loud) waiting += Flood(*program);
  ASSERT_GT(waiting, 256) << "more than a poll's messages";
  // It is accepted in one, and has its turn after the six.
  EXPECT_LE(PollsUntilWelcome(quiet, 100), 5);
  EXPECT_GT(Flood(*loud.front()), 0) << "they are heard, too";
}

TEST_F(ControlFairnessTest, WhatAUserSaysBeyondHisRateWaitsAndIsNotLost) {
  const auto loud = Welcome();
  const int held = Flood(*loud);
  int64_t served = 0;
  for (int silent = 0; silent < 8; ++silent) {
    Poll();
    const int more = Flood(*loud);
    served += more;
    if (more > 0) silent = 0;
    ASSERT_LE(served, ControlTurns::kBurst) << "nothing bounds it";
  }
  EXPECT_GT(served, held);
  EXPECT_FALSE(place_.server().NextTimeout().is_infinite());
  EXPECT_GT(place_.server().NextTimeout(), place_.world().now()) << "until then there is rest";
  if (geteuid() == 0) {
    const auto other = ConnectAs(kStranger, &place_);
    EXPECT_LE(PollsUntilWelcome(*other, 100), 2) << "another user has a rate of its own";
  }
  // Not silent, so it is no stranger whose time is up.
  Program late(&place_);
  late.Hello(ipc::HelloPurpose::kNewRegion, {});
  Poll();
  place_.server().Tend(place_.world().now() + Duration::Seconds(3));
  late.Hear();
  EXPECT_FALSE(late.may_call());
  place_.Advance(Duration::Seconds(1));
  for (int i = 0; i < 100; ++i) Poll();
  late.Hear();
  EXPECT_TRUE(late.may_call());
  EXPECT_GT(Flood(*loud), 0);
}

// A server that starts many processes is within the burst, and none of them is refused.
TEST_F(ControlFairnessTest, HundredsThatStartTogetherDoNotWait) {
  std::vector<std::unique_ptr<Program>> workers;
  size_t welcome = 0;
  for (int begun = 0, polls = 0; welcome < 400 && polls < 1000; ++polls) {
    // As many at once as there is room for at the listener.
    for (; begun < 400; ++begun) {
      auto worker = std::make_unique<Program>(&place_);
      if (worker->connection() < 0) break;
      worker->Hello(ipc::HelloPurpose::kNewRegion, {});
      workers.push_back(std::move(worker));
    }
    Poll();
    welcome = 0;
    for (const auto& worker : workers) {
      worker->Hear();
      if (!worker->may_call()) continue;
      ++welcome;
    }
  }
  EXPECT_EQ(welcome, 400u);
}

}  // namespace
}  // namespace netchannel
