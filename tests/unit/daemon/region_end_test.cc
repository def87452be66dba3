// SPDX-License-Identifier: Apache-2.0
//
// The end of a program that has used much memory: what the stack's thread does about it, counted in
// what is gone from the region's file, which the test keeps.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <string>

#include "control_place.h"
#include "daemon/region_releaser.h"
#include "ipc/futex.h"

namespace netchannel {
namespace {

using fuzz::Place;
using fuzz::Program;

constexpr ByteCount kRingBytes = 1024 * 1024;
constexpr uint32_t kSlots = 16;
// Each says that it has written what no connection could have sent: not as many as end it.
constexpr uint32_t kSockets = 15;
constexpr int64_t kSocketBytes = kRingBytes;
// Bridge::kGiveBackAtOnce, once a kGiveBackPeriod: rounds of the world.
constexpr int64_t kMostARound = 512 * 1024;
constexpr int64_t kRoundsAPiece = 20;

int64_t BytesOf(int file) {
  struct stat info {};
  fstat(file, &info);
  return int64_t{info.st_blocks} * 512;
}

class RegionEndTest : public testing::Test {
 protected:
  void SetUp() override {
    program_ = std::make_unique<Program>(&place_);
    program_->Hello(ipc::HelloPurpose::kNewRegion, {});
    place_.world().Step();
    program_->Hear();
    ASSERT_TRUE(program_->may_call());
    file_ = UniqueFd(fcntl(program_->memory().fd(), F_DUPFD_CLOEXEC, 0));
    const ipc::RegionView& view = program_->memory().view();
    for (uint32_t i = 0; i < kSockets; ++i) {
      const uint32_t slot = program_->Call({.op = ipc::Op::kCreate}).socket;
      std::memset(view.send_ring(slot).base, 1, kRingBytes);
      view.slot(slot)->written.store(kRingBytes);
    }
    used_ = BytesOf(file_.get());
    ASSERT_GE(used_, kSockets * kSocketBytes);
  }
  // The releaser's thread brings the end about.
  template <typename Condition>
  void Await(Condition holds) {
    while (!holds()) {
      place_.world().Step();
      sched_yield();
    }
  }

  Place place_{1, {.applications = 1}, {.socket_count = kSlots, .ring_bytes = kRingBytes}};
  std::unique_ptr<Program> program_;
  UniqueFd file_;
  int64_t used_ = 0;
};

TEST_F(RegionEndTest, AProgramThatDiesHasNoMemoryGivenBackRingByRing) {
  program_->Hangup();
  for (int i = 0; i < 4 && place_.server().region_count() > 0; ++i) {
    const int64_t before = BytesOf(file_.get());
    place_.world().Step();
    EXPECT_LE(before - BytesOf(file_.get()), kMostARound);
  }
  EXPECT_EQ(place_.server().region_count(), 0u);
  // Nearly all of it goes with the region's last descriptor, which is the test's.
  EXPECT_LE(used_ - BytesOf(file_.get()), 4 * kMostARound);
}

TEST_F(RegionEndTest, SocketsThatAreClosedHaveTheirMemoryGivenBackInPieces) {
  for (uint32_t slot = 0; slot < kSockets; ++slot) {
    const int64_t before = BytesOf(file_.get());
    program_->Call({.op = ipc::Op::kClose, .socket = slot});
    // A call is a round or two.
    EXPECT_LE(before - BytesOf(file_.get()), 2 * kMostARound);
  }
  EXPECT_FALSE(place_.world().bridge(0).NextTimeout().is_infinite()) << "though all is quiet";
  constexpr int64_t kKept = 8 * 1024 * 1024;
  constexpr int64_t kRounds = kSockets * kSocketBytes / kMostARound * kRoundsAPiece;
  for (int64_t i = 0; i < kRounds; ++i) {
    const int64_t before = BytesOf(file_.get());
    place_.world().Step();
    EXPECT_LE(before - BytesOf(file_.get()), kMostARound);
  }
  EXPECT_LE(used_ - BytesOf(file_.get()), kSockets * kSocketBytes - kKept);
  EXPECT_TRUE(place_.world().bridge(0).NextTimeout().is_infinite());
  EXPECT_LT(BytesOf(file_.get()), kKept + kSocketBytes) << "and what describes the sockets";
}

// The limit is of one application.
TEST_F(RegionEndTest, AnotherApplicationMayComeWhenTheRegionHasGone) {
  program_->Hangup();
  bool welcome = false;
  Await([&] {
    Program next(&place_);
    next.Hello(ipc::HelloPurpose::kNewRegion, {});
    place_.world().Step();
    next.Hear();
    welcome = next.may_call();
    return welcome;
  });
  EXPECT_TRUE(welcome);
}

// A guardian may be killed at any time; what it was to do has to be done all the same.
TEST_F(RegionEndTest, ARegionThatIsTakenFromAProgramIsEmptiedWithoutAGuardian) {
  ASSERT_EQ(kill(fuzz::TheGuardian()->pid(), SIGKILL), 0);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(fuzz::TheGuardian()->pid()), &info, WEXITED | WNOWAIT),
            0);
  program_->Scribble();
  place_.Advance(Duration::Seconds(2));  // the header is looked at
  // But for what describes the sockets.
  const auto is_empty = [&] { return BytesOf(file_.get()) < kSocketBytes; };
  const Time give_up = ipc::MonotonicNow() + Duration::Seconds(10);
  while (!is_empty() && ipc::MonotonicNow() < give_up) {
    place_.world().Step();
    sched_yield();
  }
  EXPECT_TRUE(is_empty()) << "although the program keeps its mapping";
  EXPECT_EQ(place_.server().region_count(), 0u);
  place_.server().Tend(place_.world().now());  // another guardian, for the tests to come
}

bool IsMapped(const std::byte* base) {
  char begin[32];
  std::snprintf(begin, sizeof(begin), "%lx-", reinterpret_cast<unsigned long>(base));
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.starts_with(begin)) return true;
  }
  return false;
}

TEST(RegionReleaserTest, TellsWhoseRegionsHaveGoneOnceEach) {
  RegionReleaser releaser;
  EXPECT_TRUE(releaser.TakeReleased().empty());
  std::vector<uid_t> users;
  for (uid_t user = 1; user <= 3; ++user) {
    ipc::Region region = *ipc::Region::Create({kSlots, kRingBytes});
    const std::byte* const base = region.base();
    ASSERT_TRUE(IsMapped(base));
    releaser.Release(std::move(region), user, false);
    while (users.size() < user) {
      for (const uid_t gone : releaser.TakeReleased()) users.push_back(gone);
      sched_yield();
    }
    EXPECT_FALSE(IsMapped(base));
  }
  EXPECT_EQ(users, (std::vector<uid_t>{1, 2, 3}));
  EXPECT_TRUE(releaser.TakeReleased().empty());
}

}  // namespace
}  // namespace netchannel
