// SPDX-License-Identifier: Apache-2.0
//
// The shared-memory ABI against a hostile application: it writes anything anywhere in its region,
// between rounds and (in some runs) from a thread of its own while they run; rings for nonsense,
// fills wait sets and their eventfds, makes calls with any arguments, punches holes into the
// memory, lets go and comes again. Beside it two lawful applications on two hosts exchange a
// stream. Whatever it does: nothing crashes, they are never ended and read every byte as it was
// written, and when all is closed every socket is back.
//
// The runs with a thread are not reproduced exactly; what they find is a sanitizer's report.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "base/unique_fd.h"
#include "fuzz_target.h"
#include "ipc/socket_slot.h"
#include "region_world.h"
#include "stack/shared_forms.h"

namespace netchannel::fuzz {
namespace {

constexpr size_t kMaxOperations = 150;
constexpr uint16_t kPort = 80, kOpenPort = 81, kHostilePort = 90;

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  uint8_t Take() { return empty() ? 0 : data_[at_++]; }
  uint32_t Take16() { return Take() | static_cast<uint32_t>(Take()) << 8; }
  // A number that some check may draw the line at.
  uint64_t TakeOdd() {
    const uint8_t kind = Take();
    const uint64_t value = Take16();
    switch (kind % 8) {
      case 0:
        return ~uint64_t{0} - value;
      case 1:
        return uint64_t{1} << (value % 64);
      case 2:
        return kShape.ring_bytes + value % 8 - 4;
      case 3:
        return (value << 32) | value;
      default:
        return value % (kind + 1u);
    }
  }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

// Writes over a whole region until it is told to stop.
class Scribbler {
 public:
  Scribbler(const ipc::RegionView& view, uint64_t seed)
      : thread_([this, view, seed] {
          SeededRng rng(seed);
          auto* words = reinterpret_cast<std::atomic<uint64_t>*>(view.header());
          const uint64_t count = view.layout().region_size / sizeof(uint64_t);
          while (!stop_.load(std::memory_order_relaxed)) {
            const uint64_t value = rng.Chance(0.5) ? rng.Below(20) : rng.Next();
            words[rng.Below(count)].store(value, std::memory_order_relaxed);
          }
        }) {}
  ~Scribbler() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class Game {
 public:
  explicit Game(Bytes in) : in_(in), world_(in_.Take()), victim_(&world_, 0), server_(&world_, 1) {}

  void Play() {
    Connect();
    hostile_ = std::make_unique<App>(&world_, 0);
    for (size_t i = 0; i < kMaxOperations && !in_.empty(); ++i) {
      One(in_.Take() % 21);
      ComeAgain();
    }
    Finish();
  }

 private:
  void Connect();
  void One(uint8_t operation);
  void Exchange(uint64_t bytes);
  void ComeAgain();
  void Finish();

  ipc::SocketSlot* AnySlot() { return view().slot(in_.Take() % kShape.socket_count); }
  const ipc::RegionView& view() const { return hostile_->view(); }
  Bridge& bridge() { return world_.bridge(0); }

  void MoveAPosition();
  void SetAWord();
  void RingForNonsense();
  void ScribbleARun();
  void Call(ipc::Op op);
  void UseAWaitSet();
  void PunchAHole();
  void Storm();

  Bytes in_;
  World world_;
  Lawful victim_, server_;
  std::unique_ptr<App> hostile_;
  uint32_t stream_ = 0, served_ = 0, listener_ = 0, open_listener_ = 0;
};

void Game::Connect() {
  listener_ = server_.Listen(kPort);
  open_listener_ = server_.Listen(kOpenPort);
  stream_ = victim_.Connect(World::AddressOf(1), kPort);
  for (int i = 0; i < 1000; ++i) {
    if (const auto accepted = server_.Accept(listener_)) {
      served_ = *accepted;
      return;
    }
    world_.Step();
  }
  Require(false, "lawful applications connect");
}

void Game::One(uint8_t operation) {
  switch (operation) {
    case 0:
    case 1:
      return MoveAPosition();
    case 2:
      return SetAWord();
    case 3:
      return RingForNonsense();
    case 4:
      return ScribbleARun();
    case 5:
    case 6:
      return Call(ipc::Op::kCreate);
    case 7:
      return Call(ipc::Op::kBind);
    case 8:
      return Call(ipc::Op::kListen);
    case 9:
      return Call(ipc::Op::kConnect);
    case 10:
      return Call(static_cast<ipc::Op>(in_.Take() % 12));
    case 11:
      return UseAWaitSet();
    case 12:
      return PunchAHole();
    case 13:
      return Storm();
    case 14:
      return Exchange(1 + in_.Take16() % 3000);
    case 15:  // its socket's last descriptor is closed
      return bridge().CloseSlot(world_.now(), hostile_->owner(), in_.Take() % kShape.socket_count);
    case 16:
      bridge().HeldSlots(hostile_->owner());
      return bridge().Abandon(world_.now(), hostile_->owner());
    case 17:  // somebody connects to it, perhaps
      // What that one has closed waits up to a minute for the hostile's end, and counts meanwhile.
      if (!server_.app().account().may_have_socket()) return world_.Step(5);
      server_.Close(server_.Connect(World::AddressOf(0), kHostilePort + in_.Take() % 2));
      return world_.Step(5);
    case 18:
      return world_.Advance(Duration::Millis(in_.TakeOdd() % 3000));
    case 20:
      return Call(ipc::Op::kOpen);
    default:
      return world_.Step(1 + in_.Take() % 8);
  }
}

void Game::MoveAPosition() {
  ipc::SocketSlot* slot = AnySlot();
  std::atomic<uint64_t>* const words[] = {&slot->written, &slot->consumed, &slot->room_at,
                                          &slot->acknowledged, &slot->received};
  std::atomic<uint64_t>& word = *words[in_.Take() % 5];
  const uint64_t value = in_.TakeOdd();
  word.store((in_.Take() & 1) != 0 ? value : word.load() + value);
}

void Game::SetAWord() {
  ipc::SocketSlot* slot = AnySlot();
  std::atomic<uint32_t>* const words[] = {&slot->waiters,
                                          &slot->set_words,
                                          &slot->flags,
                                          &slot->error,
                                          &slot->dirty,
                                          &view().header()->stack_sleeping,
                                          &view().header()->sleepers,
                                          &view().header()->spinner,
                                          &view().header()->stack_core};
  words[in_.Take() % 9]->store(static_cast<uint32_t>(in_.TakeOdd()));
}

void Game::RingForNonsense() {
  const uint8_t how = in_.Take();
  if (how % 4 == 0) view().doorbells()->tail.store(static_cast<uint32_t>(in_.TakeOdd()));
  const uint32_t count = how % 4 == 1 ? view().layout().doorbell_count * 2 : 1 + how % 16;
  const auto value = static_cast<uint32_t>(how % 8 == 7 ? in_.TakeOdd() : in_.Take() % 17);
  ipc::DoorbellProducer bells(view());
  for (uint32_t i = 0; i < count; ++i) bells.Push(value);
}

void Game::ScribbleARun() {
  auto* base = reinterpret_cast<std::byte*>(view().header());
  const uint64_t metadata = view().layout().buffers_offset;
  const uint64_t at = (in_.Take16() * uint64_t{65537} + in_.Take16()) % metadata;
  const uint64_t length = std::min<uint64_t>(in_.Take16() % 2048, metadata - at);
  std::memset(base + at, in_.Take(), length);
}

void Game::Call(ipc::Op op) {
  const uint32_t index = in_.Take() % ipc::kCalls;
  ipc::Call* call = view().call(index);
  call->op = static_cast<uint32_t>(op);
  call->socket = in_.Take() % (kShape.socket_count + 1);
  call->argument = in_.Take() % 5;
  switch (op) {
    case ipc::Op::kOpen:
      call->options = {};
      [[fallthrough]];
    case ipc::Op::kConnect:
      // Now and then where nobody listens, and where no host is: then the outcome takes its time.
      call->address = ToShared({World::AddressOf(in_.Take() % 8 == 0 ? 2 : 1),
                                static_cast<uint16_t>(kOpenPort + in_.Take() % 2)});
      break;
    case ipc::Op::kBind:
      call->address = ToShared({World::AddressOf(0), static_cast<uint16_t>(kHostilePort)});
      break;
    case ipc::Op::kSetOptions:
      for (size_t i = 0; i < sizeof(call->options); ++i) {
        reinterpret_cast<uint8_t*>(&call->options)[i] = in_.Take();
      }
      break;
    default:
      call->address.port = static_cast<uint16_t>(in_.TakeOdd());
  }
  const auto state = in_.Take() % 8 == 0 ? ipc::CallState::kWaiting : ipc::CallState::kSubmitted;
  call->state.store(static_cast<uint32_t>(state));
  ipc::DoorbellProducer(view()).Push(ipc::kDoorbellCall | index);
}

void Game::UseAWaitSet() {
  const uint32_t index = in_.Take() % 4 * 85;  // one in each word, the last included
  ipc::WaitSet* set = view().wait_set(index);
  set->owner.store(in_.Take() % 4);
  set->sleeping.store(1);
  set->head.store(static_cast<uint32_t>(in_.TakeOdd()));
  ipc::SocketSlot* slot = AnySlot();
  slot->set_words.store(0xf);
  for (uint32_t word = 0; word < ipc::kSetWords; ++word) {
    slot->set_members[word].store(~uint64_t{0});
    slot->set_readers[word].store(in_.TakeOdd());
    slot->set_writers[word].store(in_.TakeOdd());
    slot->queued[word].store(in_.Take() % 2 == 0 ? 0 : in_.TakeOdd());
  }
  if (in_.Take() % 4 != 0) return;
  const UniqueFd fd(eventfd(0, EFD_CLOEXEC));  // a write to it would wait
  eventfd_write(fd.get(), UINT64_MAX - 1);
  hostile_->side()->SetEventFd(index, fd.get());
}

void Game::PunchAHole() {
  const auto at = static_cast<off_t>(in_.Take16() % 64) * 4096;
  fallocate(hostile_->fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
            4096 * (1 + in_.Take() % 16));
}

void Game::Storm() {
  if (in_.Take() % 16 != 0) return;
  const Scribbler scribbler(view(), in_.Take16());
  Exchange(500);
  world_.Step(20);
}

// The victims' stream goes on, whatever else does.
void Game::Exchange(uint64_t bytes) {
  const uint64_t before = victim_.written(stream_);
  victim_.Write(stream_, bytes);
  const uint64_t wanted = victim_.written(stream_);
  constexpr int kPatience = 20000;  // rounds: a second
  for (int i = 0; i < kPatience && server_.consumed(served_) != wanted; ++i) {
    world_.Step();
    Require(server_.ReadAndCheck(served_), "bytes are read as they were written");
  }
  Require(wanted >= before && server_.consumed(served_) == wanted, "a lawful stream goes on");
}

// One that was disconnected, or has been let go, connects again.
void Game::ComeAgain() {
  if (!world_.HasEnded(0, hostile_->owner())) return;
  Require(hostile_->account().sockets == 0, "an ended application has no sockets");
  hostile_.reset();
  hostile_ = std::make_unique<App>(&world_, 0);
}

void Game::Finish() {
  bridge().Evict(world_.now(), hostile_->owner());
  world_.Step(2);
  Require(world_.HasEnded(0, hostile_->owner()), "an evicted application ends");
  Require(hostile_->account().sockets == 0, "an evicted application has no sockets");
  Exchange(2000);
  Require(!world_.HasEnded(0, victim_.app().owner()), "a lawful application is not ended");
  Require(!world_.HasEnded(1, server_.app().owner()), "a lawful application is not ended");
  while (const auto accepted = server_.Accept(open_listener_)) server_.Close(*accepted);
  victim_.Close(stream_);
  for (const uint32_t slot : {served_, listener_, open_listener_}) server_.Close(slot);
  constexpr int kPatience = 60;  // seconds: longer than any timeout of the sockets
  for (int i = 0; i < kPatience; ++i) world_.Advance(Duration::Seconds(1)), world_.Step(50);
  Require(victim_.app().account().sockets == 0 && server_.app().account().sockets == 0,
          "closed sockets are returned");
}

}  // namespace

std::vector<Input> FuzzSeeds() {
  std::vector<Input> seeds;
  // Each operation in turn, with arguments from a simple sequence; some with rounds in between.
  for (uint8_t first = 0; first < 21; ++first) {
    Input seed(1, std::byte{first});
    for (uint8_t i = 0; i < 240; ++i) {
      seed.push_back(static_cast<std::byte>(i % 6 == 5 ? 19 : (first + i / 6) % 21));
      for (int j = 0; j < i % 4; ++j) seed.push_back(static_cast<std::byte>(i * 7 + j * first));
    }
    seeds.push_back(seed);
  }
  // Listens, is connected to, connects, and breaks the positions of what it got.
  const uint8_t steps[] = {1, 5,  0, 0,  0, 0,  0, 19, 7, 1, 0,   0, 1, 19, 0, 8,  2,  0, 4,
                           1, 19, 0, 17, 0, 19, 7, 5,  3, 0, 0,   0, 1, 19, 0, 9,  4,  2, 0,
                           1, 19, 7, 14, 9, 9,  0, 2,  0, 4, 100, 0, 0, 19, 7, 16, 19, 7};
  Input lawful;
  for (const uint8_t step : steps) lawful.push_back(static_cast<std::byte>(step));
  seeds.push_back(lawful);
  return seeds;
}

}  // namespace netchannel::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace netchannel::fuzz;
  Game(Bytes(data, size)).Play();
  return 0;
}
