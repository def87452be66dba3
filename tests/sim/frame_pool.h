// SPDX-License-Identifier: Apache-2.0
//
// The frames of a simulation and who has them. A Frame is a move-only handle to one buffer; the
// pool counts those that are out, so that the end of a run can assert that every one came home.
//
// Owner: the simulation; the pool outlives its frames. Thread: one. Memory: buffers are kept for
// reuse.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"

namespace netchannel::sim {

class FramePool;

class Frame {
 public:
  Frame() = default;
  Frame(Frame&& other) noexcept { *this = std::move(other); }
  Frame& operator=(Frame&& other) noexcept {
    if (this != &other) {
      Free();
      pool_ = std::exchange(other.pool_, nullptr);
      buffer_ = std::move(other.buffer_);
    }
    return *this;
  }
  ~Frame() { Free(); }

  absl::Span<std::byte> bytes() { return absl::MakeSpan(buffer_); }
  absl::Span<const std::byte> bytes() const { return buffer_; }
  size_t size() const { return buffer_.size(); }
  void Truncate(size_t size) { buffer_.resize(size); }

 private:
  friend class FramePool;
  inline void Free();

  FramePool* pool_ = nullptr;
  std::vector<std::byte> buffer_;
};

class FramePool {
 public:
  Frame Copy(absl::Span<const std::byte> bytes) {
    Frame frame;
    frame.pool_ = this;
    if (!spare_.empty()) {
      frame.buffer_ = std::move(spare_.back());
      spare_.pop_back();
    }
    frame.buffer_.assign(bytes.begin(), bytes.end());
    ++outstanding_;
    return frame;
  }
  uint64_t outstanding() const { return outstanding_; }

 private:
  friend class Frame;
  // The bytes of a frame that has gone home are spoilt, so that a reader who kept a pointer sees
  // nonsense.
  void Return(std::vector<std::byte> buffer) {
    std::fill(buffer.begin(), buffer.end(), std::byte{0xDD});
    spare_.push_back(std::move(buffer));
    --outstanding_;
  }

  std::vector<std::vector<std::byte>> spare_;
  uint64_t outstanding_ = 0;
};

inline void Frame::Free() {
  if (pool_ != nullptr) std::exchange(pool_, nullptr)->Return(std::move(buffer_));
}

// Where frames go: a link, a switch, a host's network card.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual void OnFrame(Frame frame) = 0;
};

}  // namespace netchannel::sim
