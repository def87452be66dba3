// SPDX-License-Identifier: Apache-2.0
//
// The packet seam under virtual time: a Lane over simulated frames, and the network card that
// shares one wire between a host's lanes and steers what arrives by UDP port, as bpf/steer.bpf.c
// does.
//
// A lane is as strict as the contract in netdriver/device.h: a packet released twice, or with other
// names than it was given, a second buffer reserved, a frame longer than the buffer: the run is
// aborted, because these are bugs of the code under test that would corrupt memory on a real
// device.
//
// Owner: the host. Frames that wait, or are borrowed, belong to the lane. Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "netdriver/device.h"
#include "sim/frame_pool.h"
#include "sim/packet_headers.h"
#include "sim/virtual_time.h"

namespace netchannel::sim {

struct LaneOptions {
  uint32_t rx_capacity = 1024;  // packets that wait for Receive; more are dropped
  // Received packets come in chunks of this many bytes, as multi-buffer descriptors do; 0: in one.
  // A packet that would need more than kMaxRxChunks gets larger ones.
  uint32_t rx_chunk = 0;
  // A device that is slower than the stack: it takes so many packets every kDrainTime, and holds at
  // most tx_capacity that it has not taken, then there is no buffer. 0: it is never in the way.
  uint32_t tx_budget = 0;
  uint32_t tx_capacity = 32;
};

class SimLane final : public Lane {
 public:
  SimLane(EventQueue* events, const LaneInfo& info, const LaneOptions& options, FramePool* pool,
          FrameSink* wire);
  ~SimLane() override;

  const LaneInfo& info() const override { return info_; }
  size_t Receive(absl::Span<RxPacket> out) override;
  void Release(absl::Span<const RxPacket> packets) override;
  absl::Span<std::byte> Reserve() override;
  void Submit(size_t length) override;
  bool Flush() override;
  size_t in_flight() const override { return submitted_.size(); }
  int wait_fd() const override { return -1; }

  // A frame for this lane has arrived; false when there is no room.
  bool Arrive(Frame frame);
  bool readable() const { return !waiting_.empty(); }
  size_t borrowed() const { return borrowed_count_; }
  void DropAll();  // the host is gone

 private:
  uint64_t NameOf(size_t slot, size_t chunk) const { return (slot << 8 | chunk) + 1; }
  size_t BorrowedSlot(Frame frame);
  void Describe(size_t slot, RxPacket& packet);

  static constexpr Duration kDrainTime = Duration::Micros(10);

  EventQueue* const events_;
  const LaneInfo info_;
  const LaneOptions options_;
  FramePool* const pool_;
  FrameSink* const wire_;
  std::deque<Frame> waiting_;
  std::vector<Frame> borrowed_;
  std::vector<size_t> free_slots_;
  size_t borrowed_count_ = 0;
  std::vector<std::byte> tx_buffer_;
  bool reserved_ = false;
  std::deque<Frame> submitted_;
  uint32_t tx_left_ = 0;  // of tx_budget, until the next drain
  Time next_drain_;
};

struct NicStats {
  uint64_t not_ours = 0;  // not for this address, or not for a lane: the kernel's
  uint64_t rx_full = 0;   // the lane had no room
  uint64_t received = 0;
};

class SimNic final : public FrameSink {
 public:
  SimNic(const MacAddress& mac, uint16_t base_port) : mac_(mac), base_port_(base_port) {}

  void AddLane(SimLane* lane) { lanes_.push_back(lane); }
  // True when `frame` went into a lane.
  bool Steer(Frame frame);
  void OnFrame(Frame frame) override { Steer(std::move(frame)); }
  const NicStats& stats() const { return stats_; }

 private:
  const MacAddress mac_;
  const uint16_t base_port_;
  std::vector<SimLane*> lanes_;
  NicStats stats_;
};

}  // namespace netchannel::sim
