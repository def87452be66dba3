// SPDX-License-Identifier: Apache-2.0
//
// The daemon's control socket against hostile programs: they come and go, send messages of any
// bytes and length with descriptors of any kind, found regions and join those of their own, hand in
// as anchors what is none or what only the daemon will hold, scribble over the head of their
// region, and leave everything as it is. Beside them one that keeps the rules. Whatever they do:
// nothing crashes, it is answered to the end, and when they have gone the daemon has forgotten them
// and the process has as many descriptors as before.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <memory>
#include <vector>

#include "base/unique_fd.h"
#include "control_place.h"
#include "fuzz_target.h"
#include "ipc/anchor_name.h"
#include "ipc/control.h"
#include "ipc/fd_message.h"

namespace netchannel::fuzz {
namespace {

constexpr size_t kMaxOperations = 80;
constexpr size_t kMaxPrograms = 8;
constexpr int64_t kPatienceNanos = 5'000'000'000;  // with threads

size_t DescriptorCount() {
  DIR* const directory = opendir("/proc/self/fd");
  Require(directory != nullptr, "the process's descriptors can be listed");
  size_t count = 0;
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

int64_t NowNanos() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

class Game {
 public:
  Game(const uint8_t* data, size_t size)
      : data_(data),
        size_(size),
        place_(Take(), {.sockets = 40, .applications = 6}),
        honest_(&place_) {}

  void Play() {
    BeginHonestly();
    for (size_t i = 0; i < kMaxOperations && at_ < size_; ++i) One(Take() % 16);
    AllLeave();
    CheckHonest();
  }

 private:
  uint8_t Take() { return at_ < size_ ? data_[at_++] : 0; }
  Program* Any() {
    return programs_.empty() ? nullptr : programs_[Take() % programs_.size()].get();
  }

  void BeginHonestly();
  void CheckHonest();
  void One(uint8_t operation);
  void OneOf(Program& program, uint8_t operation);
  void SendAHello(Program& program);
  void SendAnything(Program& program);
  void SendAStrangeAnchor(Program& program);
  void SendAWaitSet(Program& program);
  UniqueFd AnyDescriptor(const Program& program);
  UniqueFd OnlyTheDaemons();
  UniqueFd Listening();
  void AllLeave();
  template <typename Condition>
  void Await(Condition holds, const char* what) {
    const int64_t begin = NowNanos();
    while (!holds()) {
      Require(NowNanos() - begin < kPatienceNanos, what);
      place_.Advance(Duration::Millis(1));
    }
  }

  const uint8_t* const data_;
  const size_t size_;
  size_t at_ = 0;
  Place place_;
  Program honest_;
  uint32_t honest_slot_ = ipc::kNoIndex;
  std::vector<std::unique_ptr<Program>> programs_;
};

void Game::BeginHonestly() {
  honest_.Hello(ipc::HelloPurpose::kNewRegion, {});
  place_.world().Step();
  honest_.Hear();
  Require(honest_.may_call(), "who keeps the rules is welcome");
  const ipc::CallResult created = honest_.Call({.op = ipc::Op::kCreate});
  Require(created.error == 0, "a socket is made");
  honest_slot_ = created.socket;
  honest_.HandInAnchor(honest_slot_);
}

void Game::CheckHonest() {
  Require(honest_.Call({.op = ipc::Op::kSetOptions, .socket = honest_slot_}).error == 0,
          "who keeps the rules is served to the end");
}

void Game::One(uint8_t operation) {
  if (operation == 0 && programs_.size() < kMaxPrograms) {
    programs_.push_back(std::make_unique<Program>(&place_));
    return;
  }
  if (operation == 1) return place_.world().Step();
  if (operation == 2) return place_.Advance(Duration::Millis(Take() * 12));
  if (operation == 3 && !programs_.empty()) {
    programs_.erase(programs_.begin() + Take() % static_cast<ptrdiff_t>(programs_.size()));
    return;
  }
  if (Program* const program = Any()) OneOf(*program, operation);
}

void Game::OneOf(Program& program, uint8_t operation) {
  switch (operation) {
    case 4:
      return SendAHello(program);
    case 5:
      return SendAnything(program);
    case 6:
      return SendAStrangeAnchor(program);
    case 7:
      return SendAWaitSet(program);
    case 8:
      return program.DropAnchor();
    case 9:
      if (program.doorbell() >= 0) eventfd_write(program.doorbell(), 1);
      return;
    case 10:
      return Take() % 8 == 0 ? program.Scribble() : program.Hear();
    case 11:
      if (program.may_call()) {
        const uint32_t slot = Take() % kShape.socket_count;
        program.Call({.op = ipc::Op::kClose, .socket = slot});
      }
      return;
    default:  // most often what leads on: a region, and sockets with anchors
      if (!program.may_call()) {
        program.Hello(ipc::HelloPurpose::kNewRegion, {});
        place_.world().Step();
        return program.Hear();
      }
      const ipc::CallResult created = program.Call({.op = ipc::Op::kCreate});
      if (created.error == 0) program.HandInAnchor(created.socket);
  }
}

void Game::SendAHello(Program& program) {
  ipc::HelloMessage hello{ipc::MakeControlHead(ipc::ControlType::kHello),
                          static_cast<ipc::HelloPurpose>(Take() % 5)};
  switch (Take() % 8) {
    case 0:
      hello.head.abi_version += Take();
      break;
    case 1:
      hello.head.magic ^= Take();
      break;
    case 2:
      hello.head.type = static_cast<ipc::ControlType>(Take());
      break;
    default:
      break;
  }
  // With an anchor of anybody's but the honest one's: to join its region.
  const Program* const other = Any();
  const bool has_anchor = other != nullptr && !other->anchors().empty();
  const UniqueFd presented =
      has_anchor ? UniqueFd(dup(other->anchors().back().get())) : AnyDescriptor(program);
  program.Send(&hello, sizeof(hello), {presented.get()});
}

void Game::SendAnything(Program& program) {
  std::vector<uint8_t> bytes(Take() + Take() % 2 * size_t{64});
  for (uint8_t& byte : bytes) byte = Take();
  std::vector<UniqueFd> sent;
  std::vector<int> fds;
  for (int count = Take() % 4; count > 0; --count) {
    sent.push_back(AnyDescriptor(program));
    fds.push_back(sent.back().get());
  }
  program.Send(bytes.data(), bytes.size(), fds);
}

void Game::SendAStrangeAnchor(Program& program) {
  const UniqueFd end = AnyDescriptor(program);
  const ipc::AnchorMessage message{ipc::ControlType::kAnchor, Take() % (kShape.socket_count + 2),
                                   Take() % 2 != 0 ? ipc::SocketCookie(end.get()) : Take()};
  program.Send(&message, sizeof(message), {end.get()});
}

void Game::SendAWaitSet(Program& program) {
  const UniqueFd fd =
      Take() % 4 == 0 ? AnyDescriptor(program) : UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const ipc::WaitSetMessage message{ipc::ControlType::kWaitSet, Take() % (ipc::kWaitSets + 2)};
  program.Send(&message, sizeof(message), {fd.get()});
}

UniqueFd Game::AnyDescriptor(const Program& program) {
  switch (Take() % 9) {
    case 0:
      return UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    case 1:
      return UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC));
    case 2:
      return UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    case 3:
      return UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    case 4:  // the daemon would hold its caller's end
      return UniqueFd(dup(program.connection()));
    case 5:
      return OnlyTheDaemons();
    case 6:
      return Listening();
    case 7:
      if (!program.anchors().empty()) return UniqueFd(dup(program.anchors().front().get()));
      [[fallthrough]];
    default:
      return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }
}

// An end whose other end waits in its own queue: no program has either.
UniqueFd Game::OnlyTheDaemons() {
  int ends[2];
  Require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "a pair is made");
  UniqueFd end(ends[0]);
  const UniqueFd other(ends[1]);
  const char byte = 0;
  ipc::SendMessage(other.get(), &byte, sizeof(byte), {other.get()}, MSG_DONTWAIT);
  return end;
}

UniqueFd Game::Listening() {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const bool listens =
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(sa_family_t)) == 0 &&
      listen(fd.get(), 1) == 0;
  Require(listens, "a socket listens");
  return fd;
}

void Game::AllLeave() {
  programs_.clear();
  // The limit of strangers' patience is behind them; the ends of descriptors, of which threads
  // close some, are events of later polls.
  for (int i = 0; i < 4; ++i) place_.Advance(Duration::Seconds(1));
  ControlServer& server = place_.server();
  Await([&] { return server.connection_count() == 1; }, "connections end with their programs");
  Await([&] { return server.region_count() == 1; }, "regions end with their programs");
  Await([&] { return server.anchor_count() == 1; }, "the honest one's anchor is the only one left");
}

}  // namespace

std::vector<Input> FuzzSeeds() {
  const auto of = [](std::initializer_list<int> bytes) {
    Input input;
    for (const int byte : bytes) input.push_back(static_cast<std::byte>(byte));
    return input;
  };
  // Comes, founds, makes sockets with anchors and a wait set, and leaves; two of them, one
  // scribbles.
  Input founds = of({1, 0, 15, 0, 15, 0, 15, 0, 7, 0, 1, 2, 1, 6, 0, 5, 1, 1, 3, 1, 1});
  Input joins =
      of({2, 0, 0, 15, 0, 15, 0, 4, 1, 2, 7, 0, 1, 10, 1, 1, 11, 1, 0, 8, 0, 2, 200, 3, 0});
  Input scribbles = of({3, 0, 15, 0, 15, 0, 10, 0, 0, 1, 2, 255, 0, 15, 1, 6, 1, 4, 2, 1, 1, 3, 0});
  Input shouts = of({4, 0, 5, 0, 16, 1, 3, 0, 0, 0, 16, 0, 0, 0, 2, 2, 2, 2, 1, 1, 6, 0, 2, 1, 1});
  return {founds, joins, scribbles, shouts};
}

}  // namespace netchannel::fuzz

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc == 2 && (*argv)[1] == netchannel::kGuardianArgument) netchannel::RunGuardian();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace netchannel::fuzz;
  // The process's own come with the first game: a guardian, and what eventfds are written by.
  static const bool begun = [] {
    const Input founds = FuzzSeeds().front();
    Game(reinterpret_cast<const uint8_t*>(founds.data()), founds.size()).Play();
    return true;
  }();
  Require(begun, "a first game is played");
  const size_t before = DescriptorCount();
  { Game(data, size).Play(); }
  // What the programs have sent is closed by threads; some of the game before this one, perhaps.
  const int64_t begin = NowNanos();
  while (DescriptorCount() > before) {
    Require(NowNanos() - begin < kPatienceNanos, "no descriptor is left behind");
    sched_yield();
  }
  return 0;
}
