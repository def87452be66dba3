// SPDX-License-Identifier: Apache-2.0
//
// Two hosts with whole stacks above lanes in memory, and applications that reach them through real
// regions: what the fuzzer of the shared-memory ABI plays in. Time is a number; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "ipc/calls.h"
#include "ipc/link.h"
#include "ipc/region.h"
#include "sim/fixed_next_hops.h"
#include "sim/pattern.h"
#include "stack/bridge.h"
#include "stack/host.h"
#include "unit/stack/loopback_lane.h"

namespace netchannel::fuzz {

inline constexpr ipc::RegionShape kShape{.socket_count = 16, .ring_bytes = 16384};

class World;

// A region that a bridge serves. Goes before its world.
class App {
 public:
  App(World* world, int host);
  ~App();  // as a program that dies
  int host() const { return host_; }
  uint32_t owner() const { return owner_; }
  const ipc::RegionView& view() const { return region_.view(); }
  int fd() const { return region_.fd(); }
  ipc::StackSide* side() const { return side_; }
  UserAccount& account() { return account_; }

 private:
  World* const world_;
  const int host_;
  ipc::Region region_;
  UserAccount account_;
  ipc::StackSide* side_ = nullptr;  // the bridge's
  uint32_t owner_ = 0;
};

class World {
 public:
  explicit World(uint64_t seed);
  ~World();

  // Rounds of both hosts, 50 us each.
  void Step(int rounds = 1);
  void Advance(Duration by);  // lets time pass at once
  Time now() const { return now_; }
  Bridge& bridge(int host) { return ends_[host].bridge; }
  // From here on `between` is called before each of the host's rounds, and sees to the applications
  // that have ended.
  void SetBetween(int host, std::function<void(Time)> between) {
    ends_[host].between = std::move(between);
  }
  static wire::IpAddress AddressOf(int host) {
    return wire::IpAddress::V4(0x0a000001u + static_cast<uint32_t>(host));
  }
  // Whether the stack has ended an application by itself; then it has been removed.
  bool HasEnded(int host, uint32_t owner) const;

 private:
  friend class App;
  struct End {
    explicit End(uint64_t seed) : rng(seed) {}
    SeededRng rng;
    sim::FixedNextHops hops{sim::MacAddress{}};
    std::unique_ptr<LoopbackLane> lane;
    std::vector<Lane*> lanes;
    Bridge bridge{/*deferring=*/true};
    std::unique_ptr<Host> host;
    std::vector<uint32_t> ended;
    std::function<void(Time)> between;
  };
  void Round(End& end);
  void RemoveEnded(End& end);

  Time now_ = Time::FromNanos(1'000'000'000);
  End ends_[2];
};

// A program that keeps the rules, as far as the tests need one.
class Lawful final : private ipc::StackLink {
 public:
  Lawful(World* world, int host);

  App& app() { return app_; }
  uint32_t Listen(uint16_t port);  // the slot
  uint32_t Connect(const wire::IpAddress& to, uint16_t port);
  std::optional<uint32_t> Accept(uint32_t listener);
  void Close(uint32_t slot);
  // What the pattern of a stream says comes next; false: what came is not that.
  void Write(uint32_t slot, uint64_t most);
  bool ReadAndCheck(uint32_t slot);
  uint64_t written(uint32_t slot) const { return Slot(slot)->written.load(); }
  uint64_t consumed(uint32_t slot) const { return Slot(slot)->consumed.load(); }
  uint32_t flags(uint32_t slot) const { return Slot(slot)->flags.load(); }

 private:
  ipc::SocketSlot* Slot(uint32_t slot) const { return app_.view().slot(slot); }
  void Ring(uint32_t slot);
  uint32_t Call(ipc::CallRequest request);

  std::byte* region() override { return nullptr; }
  size_t region_size() const override { return 0; }
  void Wake() override {}
  ipc::LendResult Lend(bool (*done)(void*), void* argument, Time, bool) override;
  void Attend() override {}
  bool SetWaitSetFd(uint32_t, int) override { return true; }
  std::string StatusJson() override { return {}; }

  World* const world_;
  App app_;
  ipc::CallClient calls_;
  ipc::DoorbellProducer bells_;
  const sim::Pattern pattern_{7};
};

}  // namespace netchannel::fuzz
