// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/channel_thread.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdio>

namespace netchannel::xdp {
namespace {

Time MonotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Time::FromNanos(now.tv_sec * 1'000'000'000 + now.tv_nsec);
}

void BlockSignals(sigset_t* before) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, before);
}

// Best effort: a CPU that has been taken from the process leaves the choice to the kernel.
void RunOn(uint32_t cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

}  // namespace

ChannelThread::ChannelThread(uint32_t number, std::optional<uint32_t> cpu, Duration spin)
    : cpu_(cpu), spin_(spin) {
  sigset_t before;
  BlockSignals(&before);  // the thread inherits it
  thread_ = std::thread([this, number] { Main(number); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ChannelThread::~ChannelThread() {
  due_.fetch_or(kStop, std::memory_order_acq_rel);
  due_.notify_one();
  thread_.join();
}

uint32_t ChannelThread::Add(TxCounters* counters) {
  const std::lock_guard<std::mutex> hold(mutex_);
  assert(count_ < places_.size());
  places_[count_].counters = counters;
  return count_++;
}

void ChannelThread::Set(uint32_t place, Xsk* xsk, bool zero_copy) {
  const std::lock_guard<std::mutex> hold(mutex_);
  places_[place].xsk = xsk;
  places_[place].zero_copy = zero_copy;
}

Duration ChannelThread::cpu_time() const {
  clockid_t clock;
  timespec used{};
  // The handle is valid until the thread is joined.
  if (pthread_getcpuclockid(const_cast<std::thread&>(thread_).native_handle(), &clock) != 0 ||
      clock_gettime(clock, &used) != 0) {
    return Duration::Zero();
  }
  return Duration::Nanos(used.tv_sec * 1'000'000'000 + used.tv_nsec);
}

Duration ChannelThread::busy_time(Time now) const {
  const int64_t busy = busy_.load(std::memory_order_relaxed);
  const int64_t since = busy_since_.load(std::memory_order_relaxed);
  return Duration::Nanos(busy + (since != 0 ? std::max<int64_t>(now.nanos() - since, 0) : 0));
}

void ChannelThread::Main(uint32_t number) {
  tid_ = static_cast<pid_t>(syscall(SYS_gettid));
  char name[16];  // the kernel's limit
  std::snprintf(name, sizeof(name), "nc-channel-%u", number);
  pthread_setname_np(pthread_self(), name);
  if (cpu_) RunOn(*cpu_);
  while (true) {
    const uint32_t due = WaitForWork();
    if ((due & kStop) != 0) return;
    Send(due);
  }
}

uint32_t ChannelThread::WaitForWork() {
  uint32_t due = due_.exchange(0, std::memory_order_acq_rel);
  if (due != 0) return due;
  const Time until = spin_ > Duration::Zero() ? MonotonicNow() + spin_ : Time();
  while (spin_ > Duration::Zero()) {
    due = due_.exchange(0, std::memory_order_acq_rel);
    if (due != 0) return due;
    if (MonotonicNow() >= until) break;
    sched_yield();  // the stack's thread may wait for this very core
  }
  due_.wait(0, std::memory_order_acquire);
  return due_.exchange(0, std::memory_order_acq_rel);
}

void ChannelThread::Send(uint32_t due) {
  const Time begin = MonotonicNow();
  busy_since_.store(begin.nanos(), std::memory_order_relaxed);
  SendLocked(due);
  const Duration took = MonotonicNow() - begin;
  busy_.store(busy_.load(std::memory_order_relaxed) + took.nanos(), std::memory_order_relaxed);
  busy_since_.store(0, std::memory_order_relaxed);
}

void ChannelThread::SendLocked(uint32_t due) {
  const std::lock_guard<std::mutex> hold(mutex_);
  for (uint32_t left = due; left != 0; left &= left - 1) {
    const auto index = static_cast<uint32_t>(std::countr_zero(left));
    const Place& place = places_[index];
    if (place.xsk == nullptr) continue;
    const uint32_t bit = uint32_t{1} << index;
    if (KickUntilEmpty(*place.xsk, place.zero_copy, *place.counters)) {
      refused_.fetch_and(~bit, std::memory_order_relaxed);
    } else {
      refused_.fetch_or(bit, std::memory_order_relaxed);
    }
  }
}

}  // namespace netchannel::xdp
