// SPDX-License-Identifier: Apache-2.0
//
// A thread that does the sending of some lanes: the stack's thread writes packets into their TX
// rings, this one makes the kernel take them. In copy mode that is where a channel's work is: the
// kernel's copy and the driver's transmit run within the system call (0.6 us + 0.13 ns/B a frame,
// about four fifths of what a bulk packet costs its sender; on veth the receiving side's too). So
// with a thread each, channels send on as many cores.
//
// Without work it spins for a bounded time and then sleeps; Ring wakes it (no system call while it
// is awake). What the kernel refuses for now it does not try again by itself: the lane's next Flush
// does (LaneSet asks for one).
//
// Thread: Ring, Set, last_try_failed by the stack's, one at a time; Set waits while the thread is
// in a system call for any of its sockets. Owner: XdpDevice, which outlives the use of all sockets.
// Errors: counted in the lane's TxCounters.
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "base/units.h"
#include "netdriver/xdp/tx_kick.h"
#include "netdriver/xdp/xsk.h"

namespace netchannel::xdp {

class ChannelThread {
 public:
  static constexpr uint32_t kMaxSockets = 31;  // a bit each, and one to stop

  // `cpu`: the only one it runs on; none: the kernel's scheduler chooses.
  ChannelThread(uint32_t number, std::optional<uint32_t> cpu, Duration spin);
  ~ChannelThread();
  ChannelThread(const ChannelThread&) = delete;
  ChannelThread& operator=(const ChannelThread&) = delete;

  bool full() const { return count_ == kMaxSockets; }
  // A place for a socket and its counters, which outlive the thread. Before the first Ring.
  // Precondition: !full().
  uint32_t Add(TxCounters* counters);
  // The socket that is there from here on; null: none.
  void Set(uint32_t place, Xsk* xsk, bool zero_copy);
  // Something is in the socket's TX ring.
  void Ring(uint32_t place) {
    const uint32_t bit = uint32_t{1} << place;
    if (due_.fetch_or(bit, std::memory_order_acq_rel) == 0) due_.notify_one();
  }
  // The kernel has refused something of it since the last Ring.
  bool last_try_failed(uint32_t place) const {
    return (refused_.load(std::memory_order_relaxed) >> place & 1) != 0;
  }

  // CPU time since the beginning: a system call.
  Duration cpu_time() const;
  // Time that it has had something to send for, since the beginning. What it could not take more
  // for: also while it waits for a core or has used up its share of one (a cgroup's quota), which
  // CPU time leaves out, and not while it spins without work. A read in the very moment in which it
  // becomes idle may be wrong by what it was busy for last.
  Duration busy_time(Time now) const;
  std::optional<uint32_t> cpu() const { return cpu_; }
  pid_t tid() const { return tid_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kStop = uint32_t{1} << 31;
  static_assert(kMaxSockets <= 31);

  struct Place {
    Xsk* xsk = nullptr;
    bool zero_copy = false;
    TxCounters* counters = nullptr;
  };

  void Main(uint32_t number);
  uint32_t WaitForWork();
  void Send(uint32_t due);
  void SendLocked(uint32_t due);

  const std::optional<uint32_t> cpu_;
  const Duration spin_;
  std::atomic<uint32_t> due_{0};        // places with something in their ring, and kStop
  std::atomic<uint32_t> refused_{0};    // written by the thread, as the two below
  std::atomic<int64_t> busy_{0};        // ns, up to when it last had nothing
  std::atomic<int64_t> busy_since_{0};  // ns; 0: it has nothing
  std::atomic<pid_t> tid_{0};
  std::mutex mutex_;                       // held while a socket is used
  std::array<Place, kMaxSockets> places_;  // under mutex_
  uint32_t count_ = 0;
  std::thread thread_;
};

}  // namespace netchannel::xdp
