// SPDX-License-Identifier: Apache-2.0
//
// Two lanes joined in memory, for stacks that run in threads of one test: what one submits the
// other receives, and its descriptor polls readable meanwhile, as an XSK does.
//
// Thread: each end by one thread at a time (its stack's lease); the wire between them is locked.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "netdriver/device.h"

namespace netchannel {

class LoopbackLane final : public Lane {
 public:
  using Frame = std::vector<std::byte>;

  static std::pair<std::unique_ptr<LoopbackLane>, std::unique_ptr<LoopbackLane>> MakePair(
      const LaneInfo& info) {
    auto a = std::make_unique<LoopbackLane>(info);
    auto b = std::make_unique<LoopbackLane>(info);
    a->peer_ = b.get();
    b->peer_ = a.get();
    return {std::move(a), std::move(b)};
  }

  explicit LoopbackLane(const LaneInfo& info)
      : info_(info), buffer_(info.mtu + 22u), event_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~LoopbackLane() override { close(event_fd_); }

  const LaneInfo& info() const override { return info_; }

  size_t Receive(absl::Span<RxPacket> out) override {
    const std::lock_guard<std::mutex> hold(mutex_);
    size_t count = 0;
    while (count < out.size() && !arrived_.empty()) {
      RxPacket& packet = out[count++];
      const uint64_t name = next_name_++;
      Frame& frame = borrowed_[name] = std::move(arrived_.front());
      arrived_.pop_front();
      packet.chunks[0] = frame;
      packet.frames[0] = name;
      packet.chunk_count = 1;
      packet.length = static_cast<uint32_t>(frame.size());
    }
    if (arrived_.empty()) {
      uint64_t ignored;
      [[maybe_unused]] const ssize_t got = read(event_fd_, &ignored, sizeof(ignored));
    }
    return count;
  }

  void Release(absl::Span<const RxPacket> packets) override {
    const std::lock_guard<std::mutex> hold(mutex_);
    for (const RxPacket& packet : packets) borrowed_.erase(packet.frames[0]);
  }

  absl::Span<std::byte> Reserve() override { return absl::MakeSpan(buffer_); }
  void Submit(size_t length) override {
    peer_->Arrive(Frame(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(length)));
  }
  bool Flush() override { return true; }
  size_t in_flight() const override { return 0; }
  int wait_fd() const override { return event_fd_; }

  // Whether what is sent to here is lost.
  void SetCut(bool cut) {
    const std::lock_guard<std::mutex> hold(mutex_);
    cut_ = cut;
  }

  // Frames that were received and not released.
  size_t borrowed() {
    const std::lock_guard<std::mutex> hold(mutex_);
    return borrowed_.size();
  }

 private:
  void Arrive(Frame frame) {
    const std::lock_guard<std::mutex> hold(mutex_);
    if (cut_ || arrived_.size() >= info_.rx_capacity) return;  // a full ring: lost
    arrived_.push_back(std::move(frame));
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = write(event_fd_, &one, sizeof(one));
  }

  const LaneInfo info_;
  Frame buffer_;
  const int event_fd_;
  LoopbackLane* peer_ = nullptr;

  std::mutex mutex_;
  bool cut_ = false;
  std::deque<Frame> arrived_;
  std::map<uint64_t, Frame> borrowed_;
  uint64_t next_name_ = 1;
};

}  // namespace netchannel
