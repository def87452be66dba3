// SPDX-License-Identifier: Apache-2.0
//
// What the two ends of a measurement tell each other, over the connection that is measured: the
// client's Request, the server's Ready, the workload, and the server's Report at the end. Both ends
// are this program on machines of one byte order, so plain structs in host order do; the magic says
// so when it is not true.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>

#include "absl/status/statusor.h"
#include "base/units.h"
#include "cli/bench/transport.h"

namespace netchannel::cli {

enum class Workload : uint32_t {
  kStream = 1,    // one way, large writes
  kMessages = 2,  // one way, one send a message
  kPingPong = 3,  // `size` bytes there and back, one at a time
  kIdle = 4,      // `count` open connections and nothing on them
};

inline constexpr uint32_t kBenchMagic = 0x6e636231;  // "ncb1"
inline constexpr uint64_t kMaxSize = 16 * 1024 * 1024;
inline constexpr uint64_t kMaxIdleConnections = 60000;

struct Request {
  uint32_t magic = kBenchMagic;
  Workload workload = Workload::kStream;
  uint64_t size = 0;   // bytes of one send
  uint64_t count = 0;  // sends, round trips or connections; 0: until `seconds` have passed
  double seconds = 0;
};
static_assert(sizeof(Request) == 32);

struct Ready {
  uint32_t magic = kBenchMagic;
};

// What one end counted. Times are its own clock's differences.
struct Report {
  uint64_t bytes = 0;
  int64_t nanos = 0;            // from the first byte to the last
  int64_t cpu_nanos = 0;        // of the whole process, user and system, all threads
  uint64_t resident_bytes = 0;  // at the end
  uint64_t resident_at_start = 0;
};
static_assert(sizeof(Report) == 40);

// The checks a server makes of a request whose magic is right: bytes from the wire.
absl::Status CheckRequest(const Request& request);

template <typename T>
absl::Status SendValue(ByteStream& stream, const T& value) {
  const auto bytes = absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&value), sizeof(T));
  if (auto status = SendAll(stream, bytes); !status.ok()) return status;
  return stream.Flush();
}
template <typename T>
absl::StatusOr<T> ReceiveValue(ByteStream& stream) {
  T value;
  auto status = ReceiveAll(stream, absl::MakeSpan(reinterpret_cast<std::byte*>(&value), sizeof(T)));
  if (!status.ok()) return status;
  return value;
}
// A T that begins with its magic. The magic is checked before there is more of it: another program
// at the other end may say less than a T, and wait.
template <typename T>
absl::StatusOr<T> ReceiveGreeting(ByteStream& stream) {
  T value;
  const auto bytes = absl::MakeSpan(reinterpret_cast<std::byte*>(&value), sizeof(T));
  if (auto status = ReceiveAll(stream, bytes.first(sizeof(value.magic))); !status.ok()) {
    return status;
  }
  if (value.magic != T{}.magic) {
    return absl::InvalidArgumentError(
        "the peer is no `netchannel` of this version with the same subcommand: start `bench`, or "
        "`copy`, at both ends");
  }
  if (auto status = ReceiveAll(stream, bytes.subspan(sizeof(value.magic))); !status.ok()) {
    return status;
  }
  return value;
}

}  // namespace netchannel::cli
