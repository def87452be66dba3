// SPDX-License-Identifier: Apache-2.0
//
// Two running stacks of one process, joined by lanes in memory, each with the public C API on top:
// the whole path but AF_XDP, with its real threads, leases and shared memory, and without
// privileges.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/rng.h"
#include "client/stack.h"
#include "ipc/link.h"
#include "loopback_lane.h"
#include "netchannel/netchannel.h"
#include "stack/application_stack.h"
#include "stack/host_config.h"

namespace netchannel {

class FixedNextHops final : public NextHops {
 public:
  std::optional<LinkHeader> Find(const wire::IpAddress& destination) override {
    LinkHeader header;
    header.bytes[12] = destination.is_v4() ? std::byte{0x08} : std::byte{0x86};
    header.bytes[13] = destination.is_v4() ? std::byte{0x00} : std::byte{0xdd};
    return header;
  }
  uint64_t version() const override { return 1; }
};

inline sockaddr_in Address(const char* ip, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, ip, &address.sin_addr);
  return address;
}

// The link of one end, as EmbeddedStack is with AF_XDP.
class LoopbackLink final : public ipc::StackLink, private Housekeeping {
 public:
  LoopbackLink(const Config& config, const std::vector<wire::IpAddress>& addresses,
               LoopbackLane* lane, uint64_t seed)
      : rng_(seed), lanes_{lane} {
    const HostConfig host = MakeHostConfig(config, addresses, lane->info().mtu);
    auto stack = ApplicationStack::Create(config, host, lanes_, &hops_, &rng_,
                                          static_cast<Housekeeping*>(this));
    EXPECT_TRUE(stack.ok()) << stack.status();
    stack_ = *std::move(stack);
    stack_->Start();
  }

  std::byte* region() override { return stack_->region().base(); }
  size_t region_size() const override { return stack_->region().size(); }
  void Wake() override {
    ++wakes_;
    stack_->runner().Wake();
  }
  ipc::LendResult Lend(bool (*done)(void*), void* argument, Time deadline, bool spin) override {
    return stack_->runner().Lend(done, argument, deadline, spin);
  }
  void Attend() override { stack_->runner().Attend(); }
  bool SetWaitSetFd(uint32_t index, int fd) override {
    return stack_->side().SetEventFd(index, fd);
  }
  std::string StatusJson() override { return "{}"; }

  // Waits for the next time that a thread which runs the stack looks after things. When it did.
  Time NextLook() {
    std::unique_lock<std::mutex> hold(looks_mutex_);
    const uint64_t seen = looks_;
    looked_.wait(hold, [&] { return looks_ != seen; });
    return looked_at_;
  }

  // How often an application thread has rung.
  uint64_t wakes() const { return wakes_; }

  FallbackLog Fallbacks() {
    return stack_->runner().WithLease([this] { return stack_->bridge().fallbacks(); });
  }

 private:
  Time NextTimeout() const override { return Time::Infinite(); }
  Duration Poll(Time now) override {
    const std::lock_guard<std::mutex> hold(looks_mutex_);
    looked_at_ = now;
    ++looks_;
    looked_.notify_one();
    return Duration::Millis(5);
  }

  SeededRng rng_;
  FixedNextHops hops_;
  std::vector<Lane*> lanes_;
  std::mutex looks_mutex_;  // guards the three below
  std::condition_variable looked_;
  uint64_t looks_ = 0;
  Time looked_at_;
  std::atomic<uint64_t> wakes_ = 0;
  std::unique_ptr<ApplicationStack> stack_;
};

class StackPair {
 public:
  explicit StackPair(Config config = Config(), uint32_t sockets_of_b = 256) {
    config.max_sockets = 256;
    LaneInfo info;
    info.mtu = 1500;
    info.rx_capacity = 1024;
    std::tie(lane_a_, lane_b_) = LoopbackLane::MakePair(info);
    a_ = MakeStack(config, 1, lane_a_.get());
    config.max_sockets = sockets_of_b;
    b_ = MakeStack(config, 2, lane_b_.get());
  }
  ~StackPair() {
    nc_stack_stop(a_);
    nc_stack_stop(b_);
    EXPECT_EQ(lane_a_->borrowed(), 0u) << "frames that the stack did not release";
    EXPECT_EQ(lane_b_->borrowed(), 0u) << "frames that the stack did not release";
  }

  nc_stack* a() { return a_; }
  nc_stack* b() { return b_; }
  LoopbackLink& link_of_a() { return static_cast<LoopbackLink&>(*a_->Latest()->link); }
  // What either sends from here on is lost.
  void Cut() { SetCut(true); }
  void Join() { SetCut(false); }
  void StopA() {
    nc_stack_stop(a_);
    a_ = nullptr;
  }

 private:
  void SetCut(bool cut) {
    lane_a_->SetCut(cut);
    lane_b_->SetCut(cut);
  }

  // Stack n has 10.0.0.n and fd00::n.
  static nc_stack* MakeStack(const Config& config, uint8_t number, LoopbackLane* lane) {
    const std::vector<wire::IpAddress> addresses = {
        wire::IpAddress::V4(0x0a000000u + number),
        wire::IpAddress::V6({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number})};
    auto link = std::make_unique<LoopbackLink>(config, addresses, lane, number);
    auto view = ipc::RegionView::Open(link->region(), link->region_size());
    EXPECT_TRUE(view.ok()) << view.status();
    return new nc_stack(std::move(link), *view);
  }

  std::unique_ptr<LoopbackLane> lane_a_, lane_b_;
  nc_stack* a_ = nullptr;
  nc_stack* b_ = nullptr;
};

}  // namespace netchannel
