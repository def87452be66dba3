// SPDX-License-Identifier: Apache-2.0
//
// Clients that mean harm: each is disconnected or contained, and neither the daemon nor another
// client's stream notices.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "../../unit/daemon/lingering.h"
#include "base/rng.h"
#include "daemon_fixture.h"
#include "ipc/anchor_name.h"
#include "ipc/calls.h"
#include "ipc/control.h"
#include "ipc/daemon_link.h"
#include "ipc/doorbell.h"
#include "ipc/fd_message.h"

namespace netchannel::test {
namespace {

// A link for ipc::CallClient over a raw client.
class RawLink final : public ipc::StackLink {
 public:
  explicit RawLink(const RawClient& client) : client_(client) {}
  std::byte* region() override { return client_.region.base(); }
  size_t region_size() const override { return client_.region.size(); }
  void Wake() override { eventfd_write(client_.doorbell.get(), 1); }
  ipc::LendResult Lend(bool (*)(void*), void*, Time, bool) override {
    return ipc::LendResult::kUnavailable;
  }
  void Attend() override {}
  bool SetWaitSetFd(uint32_t, int) override { return false; }
  std::string StatusJson() override { return {}; }

 private:
  const RawClient& client_;
};

class HostileTest : public DaemonTest {
 protected:
  void SetUp() override {
    DaemonTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_NO_FATAL_FAILURE(StartDaemons({"daemon.user_memory_mib=64"}));
    ASSERT_NO_FATAL_FAILURE(MakeConnection(Connect(kA), Connect(kB)));
    survivors_.emplace(client_, server_);
    ASSERT_TRUE(StreamGoesOn());
    baseline_ = UsageOf(kA);
  }
  void TearDown() override {
    if (survivors_) {
      EXPECT_TRUE(StreamGoesOn());
      EXPECT_TRUE(survivors_->Stop());
      EXPECT_TRUE(daemons_[kA].running());
      ExpectBackAt(kA, baseline_);
      survivors_.reset();
    }
    DaemonTest::TearDown();
  }

  bool StreamGoesOn() {
    const uint64_t before = survivors_->received();
    return Eventually(daemons_[kA], [&] { return survivors_->received() > before + (1 << 20); });
  }
  bool IsDisconnected(const RawClient& client) {
    return Eventually(daemons_[kA], [&] { return client.IsDisconnected(); });
  }
  static ipc::CallResult Call(const RawClient& client, const ipc::CallRequest& request) {
    RawLink link(client);
    return ipc::CallClient(client.region.view(), &link).Execute(request);
  }
  // The daemon's end of a pair, whoever holds the other.
  static void SendAnchor(const RawClient& client, uint32_t slot, int end) {
    const ipc::AnchorMessage message{ipc::ControlType::kAnchor, slot, 0};
    ASSERT_TRUE(client.Send(&message, sizeof(message), end));
  }
  // It has as many sockets and anchors of theirs as before there was a hostile one.
  bool HasLetGo() {
    return Eventually(daemons_[kA], [&] {
      const Usage now = UsageOf(kA);
      return now.descriptors == baseline_.descriptors && now.sockets == baseline_.sockets;
    });
  }
  // Ends the stream, and looks whether the daemon is quiet without it.
  void ExpectIdle() {
    ASSERT_TRUE(survivors_->Stop());
    survivors_.reset();
    const uint64_t before = CpuMillis(kA);
    constexpr int64_t kWindowMs = 500;
    EXPECT_FALSE(daemons_[kA].WaitForExit(Duration::Millis(kWindowMs)).has_value());
    EXPECT_LT(CpuMillis(kA) - before, kWindowMs / 4)
        << "ms of CPU time while nothing is to be done";
  }
  static uint32_t Create(const RawClient& client) {
    const ipc::CallResult result = Call(client, {.op = ipc::Op::kCreate});
    EXPECT_EQ(result.error, 0);
    return result.socket;
  }

  std::optional<Survivors> survivors_;
  Usage baseline_;
};

TEST_F(HostileTest, OneThatScribblesOverItsWholeRegionIsDisconnected) {
  SeededRng rng(1);
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE(round);
    const RawClient hostile = ConnectRaw(kA);
    for (int i = 0; i < 8; ++i) Create(hostile);
    const ipc::RegionLayout& layout = hostile.region.view().layout();
    auto* const words = reinterpret_cast<std::atomic<uint64_t>*>(hostile.region.base());
    const uint64_t rings = 16 * 2 * layout.shape.ring_bytes;
    const uint64_t count = (layout.buffers_offset + rings) / sizeof(uint64_t);
    const uint64_t fills[] = {0, ~uint64_t{0}, 0x0101010101010101};
    const Time give_up = MonotonicNow() + kPatience;
    while (!hostile.IsDisconnected() && MonotonicNow() < give_up) {
      for (uint64_t i = 0; i < count; ++i) {
        words[i].store(round < 3 ? fills[round] : rng.Next(), std::memory_order_relaxed);
      }
      eventfd_write(hostile.doorbell.get(), 1);
    }
    EXPECT_TRUE(hostile.IsDisconnected());
  }
}

TEST_F(HostileTest, AWaitSetsDescriptorThatWouldBlockHoldsNobodyUp) {
  const RawClient hostile = ConnectRaw(kA);
  const uint32_t slot = Create(hostile);
  const UniqueFd full(eventfd(0, EFD_CLOEXEC));
  ASSERT_EQ(eventfd_write(full.get(), UINT64_MAX - 1), 0);
  const ipc::WaitSetMessage message{ipc::ControlType::kWaitSet, 0};
  ASSERT_TRUE(hostile.Send(&message, sizeof(message), full.get()));
  const ipc::RegionView& view = hostile.region.view();
  view.wait_set(0)->owner.store(1);
  for (int i = 0; i < 200; ++i) {
    view.wait_set(0)->sleeping.store(1);
    view.slot(slot)->queued[0].store(0);
    view.slot(slot)->set_members[0].store(1);
    view.slot(slot)->set_words.store(1);
    // A change of state, which the set is to be told of.
    Call(hostile, {.op = ipc::Op::kBind, .socket = slot});
    Call(hostile, {.op = ipc::Op::kShutdown, .socket = slot, .argument = 3});
  }
  EXPECT_TRUE(StreamGoesOn());
}

TEST_F(HostileTest, OneThatTakesFarTooMuchMemoryIsDisconnectedAndItsMemoryGivenBack) {
  const RawClient hostile = ConnectRaw(kA);
  const auto start = static_cast<off_t>(hostile.region.view().layout().buffers_offset);
  struct stat info {};
  ASSERT_EQ(fallocate(hostile.region.fd(), 0, start, off_t{256} << 20), 0);
  EXPECT_TRUE(IsDisconnected(hostile));
  // Although its file is still open here.
  EXPECT_TRUE(Eventually(
      daemons_[kA],
      [&] { return fstat(hostile.region.fd(), &info) == 0 && info.st_blocks * 512 < (8 << 20); }))
      << info.st_blocks * 512 << " bytes";
}

TEST_F(HostileTest, ARegionCanNeitherShrinkNorGrow) {
  const RawClient hostile = ConnectRaw(kA);
  EXPECT_EQ(ftruncate(hostile.region.fd(), 0), -1);
  EXPECT_EQ(ftruncate(hostile.region.fd(), off_t{1} << 45), -1);
  EXPECT_EQ(fallocate(hostile.region.fd(), 0, static_cast<off_t>(hostile.region.size()), 4096), -1);
  EXPECT_EQ(fcntl(hostile.region.fd(), F_ADD_SEALS, F_SEAL_WRITE), -1);
}

TEST_F(HostileTest, PagesThatAreTakenAwayDoNoHarm) {
  const RawClient hostile = ConnectRaw(kA);
  for (int i = 0; i < 300; ++i) {
    // It may be disconnected meanwhile: a hole reads as zeros.
    if (hostile.region.view().header()->stack_gone.load() != 0) break;
    const uint64_t at = static_cast<uint64_t>(i % 64) * 16384;
    ASSERT_EQ(fallocate(hostile.region.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        static_cast<off_t>(at), 1 << 20),
              0);
    ipc::DoorbellProducer(hostile.region.view()).Push(static_cast<uint32_t>(i));
    eventfd_write(hostile.doorbell.get(), 1);
  }
  ASSERT_EQ(fallocate(hostile.region.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                      static_cast<off_t>(hostile.region.size())),
            0);
  EXPECT_TRUE(IsDisconnected(hostile));
}

TEST_F(HostileTest, ADescriptorThatIsKeptAfterItsEndCostsNothing) {
  const RawClient hostile = ConnectRaw(kA);
  const uint32_t slot = Create(hostile);
  std::vector<UniqueFd> kept;
  for (int i = 0; i < 8; ++i) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ASSERT_NO_FATAL_FAILURE(SendAnchor(hostile, slot, ends[1]));
    kept.emplace_back(ends[1]);
    close(ends[0]);  // its end is to be told, once
  }
  // Its socket is closed when the last one's end is seen.
  ASSERT_TRUE(HasLetGo());
  ExpectIdle();
}

// As by a static program that has inherited a socket, before and after the daemon has its end.
TEST_F(HostileTest, AnAnchorThatIsWrittenToEndsAllTheSame) {
  const RawClient hostile = ConnectRaw(kA);
  const uint32_t slot = Create(hostile);
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd ours(ends[0]), daemons(ends[1]);
  ASSERT_EQ(send(ours.get(), "x", 1, MSG_NOSIGNAL), 1);
  ASSERT_NO_FATAL_FAILURE(SendAnchor(hostile, slot, daemons.get()));
  daemons = UniqueFd();
  EXPECT_TRUE(Eventually(daemons_[kA], [&] {
    return send(ours.get(), "y", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
  })) << "what nobody will read is taken";
  EXPECT_EQ(UsageOf(kA).sockets, baseline_.sockets + 1) << "its descriptor is open";
  ours = UniqueFd();
  EXPECT_TRUE(HasLetGo());
  ExpectIdle();
}

TEST_F(HostileTest, AnAnchorThatIsShutDownEnds) {
  const RawClient hostile = ConnectRaw(kA);
  const uint32_t slot = Create(hostile);
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd ours(ends[0]), daemons(ends[1]);
  ASSERT_NO_FATAL_FAILURE(SendAnchor(hostile, slot, daemons.get()));
  ASSERT_EQ(shutdown(ours.get(), SHUT_RDWR), 0);
  EXPECT_TRUE(HasLetGo());
  ExpectIdle();
}

TEST_F(HostileTest, ASocketInErrorThatIsPresentedAsAnAnchorEndsAtOnce) {
  const RawClient hostile = ConnectRaw(kA);
  const uint32_t slot = Create(hostile);
  const InNamespace at_a(*pair_, kA);
  const UniqueFd refused(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in nobody{};
  nobody.sin_family = AF_INET;
  nobody.sin_port = htons(9);
  nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(refused.get(), reinterpret_cast<sockaddr*>(&nobody), sizeof(nobody)), 0);
  ASSERT_EQ(send(refused.get(), "x", 1, 0), 1);
  pollfd events = {refused.get(), 0, 0};
  ASSERT_EQ(poll(&events, 1, 1000), 1) << "no error";
  ASSERT_NO_FATAL_FAILURE(SendAnchor(hostile, slot, refused.get()));
  EXPECT_TRUE(HasLetGo());
  ExpectIdle();
}

// While it is there `process`, a child, does not run.
class Stopped {
 public:
  explicit Stopped(const Process& process) : process_(process) {
    process_.Signal(SIGSTOP);
    siginfo_t info;
    EXPECT_EQ(waitid(P_PID, static_cast<id_t>(process_.pid()), &info, WSTOPPED), 0);
  }
  ~Stopped() { process_.Signal(SIGCONT); }

 private:
  const Process& process_;
};

// The last close of each is the daemon's.
TEST_F(HostileTest, DescriptorsWhoseCloseTakesLongHoldNobodyUp) {
  const InNamespace at_a(*pair_, kA);
  const char nonsense[7] = {};
  std::vector<UniqueFd> peers;
  for (int way = 0; way < 3; ++way) {
    SCOPED_TRACE(way);
    const RawClient hostile = ConnectRaw(kA);
    Lingering lingering;
    if (way == 2) {  // in an anchor's queue
      int ends[2];
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
      const UniqueFd end(ends[0]), other(ends[1]);
      ASSERT_TRUE(ipc::SendMessage(other.get(), "x", 1, {lingering.end.get()}));
      lingering.end = UniqueFd();
      SendAnchor(hostile, Create(hostile), end.get());
    } else {  // in a message that is refused, or in the one behind it, which is not read
      const Stopped stopped(daemons_[kA]);
      if (way == 1) {
        ASSERT_TRUE(hostile.Send(nonsense, sizeof(nonsense), -1));
      }
      ASSERT_TRUE(hostile.Send(nonsense, sizeof(nonsense), lingering.end.get()));
      lingering.end = UniqueFd();
    }
    EXPECT_TRUE(StreamGoesOn());
    peers.push_back(std::move(lingering.peer));
  }
}

TEST_F(HostileTest, AForgedNameIsRefusedAndDoesTheOwnerNoHarm) {
  const int anchor = nc_socket_fd(client_);  // since the first fork()
  ASSERT_GE(anchor, 0) << nc_last_error();
  auto name = ipc::ReadAnchorName(anchor);
  ASSERT_TRUE(name.has_value());
  ++name->generation;  // the name itself is taken, in this network namespace
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd forged(ends[0]), named(ends[1]);
  ASSERT_TRUE(ipc::BindAnchorName(named.get(), *name));
  // More than fit into a socket, were each to leave something there.
  for (int i = 0; i < 400; ++i) {
    const auto refused = ipc::AttachByAnchor(Socket(kA), forged.get());
    ASSERT_FALSE(refused.ok());
    ASSERT_THAT(std::string(refused.status().message()),
                testing::HasSubstr("no socket of this daemon"));
  }
  char byte;
  EXPECT_LT(recv(anchor, &byte, 1, MSG_DONTWAIT), 0) << "a stranger has had it written to";
  EXPECT_EQ(errno, EAGAIN);
  for (int i = 0; i < 2; ++i) {
    const auto owned = ipc::AttachByAnchor(Socket(kA), anchor);
    EXPECT_TRUE(owned.ok()) << owned.status();
  }
}

TEST_F(HostileTest, ManyWhoSayNothingAreTurnedAwayAndOthersComeLater) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, Socket(kA).c_str(), sizeof(address.sun_path) - 1);
  std::vector<UniqueFd> strangers;
  for (int i = 0; i < 400; ++i) {
    strangers.emplace_back(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ASSERT_EQ(
        connect(strangers.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  // What is beyond the limit is turned away at once; the rest when its time is up.
  EXPECT_LE(UsageOf(kA).connections, baseline_.connections + 128);
  ASSERT_TRUE(
      Eventually(daemons_[kA], [&] { return UsageOf(kA).connections == baseline_.connections; }));
  nc_stack* const late = nc_stack_connect(Socket(kA).c_str());
  EXPECT_NE(late, nullptr) << nc_last_error();
  nc_stack_stop(late);
}

TEST_F(HostileTest, NonsenseOverTheControlSocketEndsTheConnection) {
  SeededRng rng(2);
  for (int i = 0; i < 200; ++i) {
    const RawClient hostile = ConnectRaw(kA);
    uint32_t words[64];
    for (uint32_t& word : words) word = static_cast<uint32_t>(rng.Next());
    words[0] = static_cast<uint32_t>(rng.Below(20));
    const UniqueFd file(memfd_create("nonsense", MFD_CLOEXEC));
    hostile.Send(words, rng.Below(sizeof(words) + 1), rng.Chance(0.5) ? file.get() : -1);
    // No lawful message has this length.
    hostile.Send(words, 7, file.get());
    ASSERT_TRUE(IsDisconnected(hostile)) << i;
  }
}

TEST_F(HostileTest, AGuardianThatIsKilledIsReplaced) {
  const auto guardian = [&] { return StatusOf(kA)["daemon"].value("guardian_pid", -1); };
  const pid_t first = guardian();
  ASSERT_GT(first, 0);
  kill(first, SIGKILL);
  ASSERT_TRUE(Eventually(daemons_[kA], [&] { return guardian() > 0 && guardian() != first; }));
  EXPECT_EQ(StatusOf(kA)["daemon"].value("guardian_restarts", 0), 1);
  EXPECT_TRUE(daemons_[kA].WaitForError("guardian has died; starting another\n"));
  ASSERT_TRUE(survivors_->Stop());
  survivors_.reset();
  // The new one knows the regions that were there before it: a sleeper is woken.
  nc_socket* const sleeper = nc_socket_create(stack_a_, 0);
  const sockaddr_in address = AddressOf(kA, kPort + 1);
  ASSERT_EQ(nc_bind(sleeper, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(nc_listen(sleeper, 1), 0);
  std::thread killer([&] { daemons_[kA].Signal(SIGKILL); });
  EXPECT_EQ(nc_accept(sleeper, nullptr, nullptr, 0), nullptr);
  EXPECT_EQ(errno, ECONNRESET);
  killer.join();
}

}  // namespace
}  // namespace netchannel::test
