// SPDX-License-Identifier: Apache-2.0
//
// A lane in memory: what is submitted goes to a function, what arrives is pushed by the test. It
// checks the contract of netdriver/device.h that a driver could break: submit without reserve, more
// than the buffer.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "netdriver/device.h"

namespace netchannel {

using FrameBytes = std::vector<std::byte>;

class FakeLane final : public Lane {
 public:
  FakeLane(const LaneInfo& info, std::function<void(FrameBytes)> on_submit)
      : info_(info), on_submit_(std::move(on_submit)), buffer_(info.mtu + size_t{22}) {}

  const LaneInfo& info() const override { return info_; }
  size_t Receive(absl::Span<RxPacket>) override { return 0; }
  void Release(absl::Span<const RxPacket>) override {}

  absl::Span<std::byte> Reserve() override {
    if (free_buffers == 0) return {};
    reserved_ = true;
    return absl::MakeSpan(buffer_);
  }
  void Submit(size_t length) override {
    ASSERT_TRUE(reserved_) << "Submit without Reserve";
    ASSERT_LE(length, buffer_.size());
    reserved_ = false;
    if (free_buffers > 0) --free_buffers;
    ++in_flight_;
    ++submitted_;
    on_submit_(FrameBytes(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(length)));
  }
  bool Flush() override {
    ++flushes;
    if (!stuck) {
      free_buffers += in_flight_;
      in_flight_ = 0;
    }
    return true;
  }
  size_t in_flight() const override { return in_flight_; }
  int wait_fd() const override { return -1; }
  uint64_t submitted() const { return submitted_; }

  size_t free_buffers = 64;
  bool stuck = false;  // completions do not come back
  int flushes = 0;

 private:
  LaneInfo info_;
  std::function<void(FrameBytes)> on_submit_;
  FrameBytes buffer_;
  bool reserved_ = false;
  size_t in_flight_ = 0;
  uint64_t submitted_ = 0;
};

}  // namespace netchannel
