// SPDX-License-Identifier: Apache-2.0
//
// Strong types for the quantities that are easily confused: instants, durations, byte counts,
// rates.
//
// All are trivially copyable integers with the arithmetic that makes sense and no other: instants
// subtract to durations, durations scale, bytes over a rate give a duration. absl::Time is not used
// because the data path does this arithmetic per packet and absl's saturating 96-bit form costs
// there.
//
// Thread: values, no owner. Errors: none; overflow is a caller's bug (an int64 of nanoseconds lasts
// 292 years).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace netchannel {

class Duration {
 public:
  constexpr Duration() = default;
  static constexpr Duration Nanos(int64_t n) { return Duration(n); }
  static constexpr Duration Micros(int64_t n) { return Duration(n * 1000); }
  static constexpr Duration Millis(int64_t n) { return Duration(n * 1000 * 1000); }
  static constexpr Duration Seconds(int64_t n) { return Duration(n * 1000 * 1000 * 1000); }
  static constexpr Duration Zero() { return Duration(0); }
  static constexpr Duration Infinite() { return Duration(std::numeric_limits<int64_t>::max()); }

  constexpr int64_t nanos() const { return nanos_; }
  constexpr int64_t micros() const { return nanos_ / 1000; }
  constexpr double seconds() const { return static_cast<double>(nanos_) * 1e-9; }

  constexpr auto operator<=>(const Duration&) const = default;
  friend constexpr Duration operator+(Duration a, Duration b) {
    return Duration(a.nanos_ + b.nanos_);
  }
  friend constexpr Duration operator-(Duration a, Duration b) {
    return Duration(a.nanos_ - b.nanos_);
  }
  friend constexpr Duration operator*(Duration a, int64_t k) { return Duration(a.nanos_ * k); }
  friend constexpr Duration operator/(Duration a, int64_t k) { return Duration(a.nanos_ / k); }
  constexpr Duration& operator+=(Duration d) {
    nanos_ += d.nanos_;
    return *this;
  }

 private:
  explicit constexpr Duration(int64_t n) : nanos_(n) {}
  int64_t nanos_ = 0;
};

// An instant on a monotonic clock whose epoch is arbitrary (CLOCK_MONOTONIC, or virtual time in the
// simulator). Never compared across hosts.
class Time {
 public:
  constexpr Time() = default;
  static constexpr Time FromNanos(int64_t n) { return Time(n); }
  static constexpr Time Infinite() { return Time(std::numeric_limits<int64_t>::max()); }

  constexpr int64_t nanos() const { return nanos_; }
  constexpr bool is_infinite() const { return *this == Infinite(); }

  constexpr auto operator<=>(const Time&) const = default;
  friend constexpr Duration operator-(Time a, Time b) {
    return Duration::Nanos(a.nanos_ - b.nanos_);
  }
  friend constexpr Time operator+(Time t, Duration d) { return Time(t.nanos_ + d.nanos()); }
  friend constexpr Time operator-(Time t, Duration d) { return Time(t.nanos_ - d.nanos()); }

 private:
  explicit constexpr Time(int64_t n) : nanos_(n) {}
  int64_t nanos_ = 0;
};

using ByteCount = uint64_t;     // a number of bytes
using StreamOffset = uint64_t;  // position in one direction of a stream; the first byte is 0
using PacketNumber = uint64_t;  // per channel and direction; the first packet is 1, 0 is "none"

// Bytes per second, the unit of pacing and of goodput.
class Bandwidth {
 public:
  constexpr Bandwidth() = default;
  static constexpr Bandwidth BytesPerSecond(uint64_t b) { return Bandwidth(b); }
  static constexpr Bandwidth BitsPerSecond(uint64_t b) { return Bandwidth(b / 8); }
  static constexpr Bandwidth FromBytesAndTime(ByteCount bytes, Duration d) {
    if (d <= Duration::Zero()) return Bandwidth(std::numeric_limits<uint64_t>::max());
    return Bandwidth(
        static_cast<uint64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(d.nanos())));
  }
  constexpr uint64_t bytes_per_second() const { return rate_; }
  constexpr Duration TimeFor(ByteCount bytes) const {
    if (rate_ == 0) return Duration::Infinite();
    return Duration::Nanos(
        static_cast<int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(rate_)));
  }
  constexpr auto operator<=>(const Bandwidth&) const = default;

 private:
  explicit constexpr Bandwidth(uint64_t r) : rate_(r) {}
  uint64_t rate_ = 0;
};

}  // namespace netchannel
