// SPDX-License-Identifier: Apache-2.0
#include "region_world.h"

#include <cerrno>
#include <cstring>

#include "fuzz_target.h"
#include "ipc/socket_slot.h"
#include "stack/host_config.h"
#include "stack/shared_forms.h"

namespace netchannel::fuzz {
namespace {

constexpr Duration kRound = Duration::Micros(50);
constexpr uint16_t kMtu = 1500;

ipc::Region MakeRegion() {
  auto region = ipc::Region::Create(kShape);
  Require(region.ok(), "a region is made");
  return *std::move(region);
}

}  // namespace

App::App(World* world, int host) : world_(world), host_(host), region_(MakeRegion()) {
  account_.max_sockets = 12;
  auto side = std::make_unique<ipc::StackSide>(region_.view());
  side_ = side.get();
  owner_ = world->bridge(host).AddApplication(std::move(side), {}, {&account_, nullptr});
  // A number may come again.
  std::erase(world->ends_[host].ended, owner_);
}

App::~App() {
  if (world_->HasEnded(host_, owner_)) return;
  world_->bridge(host_).RemoveApplication(world_->now(), owner_);
}

World::World(uint64_t seed) : ends_{End(seed), End(seed + 1)} {
  LaneInfo info;
  info.mtu = kMtu;
  info.rx_capacity = 256;
  std::tie(ends_[0].lane, ends_[1].lane) = LoopbackLane::MakePair(info);
  Config config;
  config.max_sockets = 64;
  config.total_sockets = 64;
  config.buffer_kib = config.initial_window_kib = kShape.ring_bytes / 1024;
  for (int i = 0; i < 2; ++i) {
    End& end = ends_[i];
    for (int other = 0; other < 2; ++other) end.hops.Add(AddressOf(other), sim::MacAddress{});
    end.lanes = {end.lane.get()};
    auto host = Host::Create(MakeHostConfig(config, {AddressOf(i)}, kMtu), end.lanes, &end.hops,
                             &end.bridge, &end.rng, now_);
    Require(host.ok(), "a host is made");
    end.host = *std::move(host);
    end.bridge.Attach(&end.host->sockets());
  }
}

World::~World() {
  for (End& end : ends_) {
    end.host->driver().Shutdown(now_);
    end.host.reset();
    Require(end.lane->borrowed() == 0, "all frames come home");
  }
}

// As Runner::Round, with all that the daemon does between two rounds.
void World::Round(End& end) {
  end.bridge.ServeDeferred(now_);
  end.bridge.Tend(now_);
  end.between ? end.between(now_) : RemoveEnded(end);
  end.host->Receive(now_);
  end.bridge.Publish(now_);
  end.bridge.Serve(now_);
  end.host->Transmit(now_);
  end.bridge.Publish(now_);
}

void World::RemoveEnded(End& end) {
  while (const std::optional<uint32_t> owner = end.bridge.PollEnded()) {
    end.bridge.RemoveApplication(now_, *owner);
    end.ended.push_back(*owner);
  }
}

void World::Step(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    for (End& end : ends_) Round(end);
    now_ = now_ + kRound;
  }
}

void World::Advance(Duration by) {
  now_ = now_ + by;
  Step();
}

bool World::HasEnded(int host, uint32_t owner) const {
  const std::vector<uint32_t>& ended = ends_[host].ended;
  return std::find(ended.begin(), ended.end(), owner) != ended.end();
}

// ---- Lawful

Lawful::Lawful(World* world, int host)
    : world_(world), app_(world, host), calls_(app_.view(), this), bells_(app_.view()) {}

ipc::LendResult Lawful::Lend(bool (*done)(void*), void* argument, Time, bool) {
  constexpr int kPatience = 10000;
  for (int i = 0; i < kPatience && !done(argument); ++i) world_->Step();
  Require(done(argument), "a lawful application's call is answered");
  return ipc::LendResult::kRan;
}

uint32_t Lawful::Call(ipc::CallRequest request) {
  const ipc::CallResult result = calls_.Execute(request);
  Require(result.error == 0 || result.error == EINPROGRESS, "a lawful call succeeds");
  return result.socket;
}

uint32_t Lawful::Listen(uint16_t port) {
  const uint32_t slot = Call({.op = ipc::Op::kCreate});
  Call({.op = ipc::Op::kBind,
        .socket = slot,
        .address = ToShared({World::AddressOf(app_.host()), port})});
  Call({.op = ipc::Op::kListen, .socket = slot, .argument = 8});
  return slot;
}

uint32_t Lawful::Connect(const wire::IpAddress& to, uint16_t port) {
  return Call({.op = ipc::Op::kOpen, .address = ToShared({to, port})});
}

std::optional<uint32_t> Lawful::Accept(uint32_t listener) {
  ipc::SocketSlot* slot = Slot(listener);
  const uint64_t consumed = slot->consumed.load();
  if (slot->received.load() == consumed) return std::nullopt;
  uint32_t socket = ipc::kNoIndex;
  app_.view().receive_ring(listener).CopyOut(
      consumed, {reinterpret_cast<std::byte*>(&socket), sizeof(socket)});
  slot->consumed.store(consumed + ipc::kAcceptEntrySize);
  Ring(listener);
  return socket;
}

void Lawful::Close(uint32_t slot) { Call({.op = ipc::Op::kClose, .socket = slot}); }

void Lawful::Ring(uint32_t slot) {
  if (Slot(slot)->dirty.exchange(1) == 0) bells_.Push(slot);
}

void Lawful::Write(uint32_t slot, uint64_t most) {
  ipc::SocketSlot* shared = Slot(slot);
  const uint64_t at = shared->written.load();
  const uint64_t room = ipc::WriteRoom(at, shared->acknowledged.load(), kShape.ring_bytes);
  std::vector<std::byte> bytes(std::min(most, room));
  pattern_.Fill(at, absl::MakeSpan(bytes));
  app_.view().send_ring(slot).CopyIn(at, bytes);
  shared->written.store(at + bytes.size());
  Ring(slot);
}

bool Lawful::ReadAndCheck(uint32_t slot) {
  ipc::SocketSlot* shared = Slot(slot);
  const uint64_t at = shared->consumed.load();
  std::vector<std::byte> bytes(shared->received.load() - at);
  if (bytes.size() > kShape.ring_bytes) return false;
  app_.view().receive_ring(slot).CopyOut(at, absl::MakeSpan(bytes));
  shared->consumed.store(at + bytes.size());
  Ring(slot);
  return pattern_.Matches(at, bytes);
}

}  // namespace netchannel::fuzz
