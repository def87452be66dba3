// SPDX-License-Identifier: Apache-2.0
//
// The two halves of each workload, over any ByteStream. The client's half ends with FinishSending;
// the server's half runs until it sees the end of the stream. Neither sends Request or Report:
// harness.h does.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/histogram.h"
#include "base/units.h"
#include "cli/bench/protocol.h"
#include "cli/bench/transport.h"

namespace netchannel::cli {

struct Progress {
  uint64_t bytes = 0;
  Duration time;
};

// One way (stream.cc): writes of `size` bytes of one warm buffer, one SendInPlace each.
absl::StatusOr<Progress> SendOneWay(ByteStream& stream, const Request& request);
// Reads until the end; time counts from the first byte to the last. Messages are read into 64 KiB
// as they come, many in one call, as a program with a parser does; a stream into a buffer of its
// write size. A stack that has receive buffers of its own uses those for both.
absl::StatusOr<Progress> ReceiveOneWay(ByteStream& stream, const Request& request);

// Round trips (pingpong.cc): the time of each goes into `round_trips`, in nanoseconds.
absl::StatusOr<Progress> SendPings(ByteStream& stream, const Request& request,
                                   Histogram& round_trips);
absl::StatusOr<Progress> EchoPings(ByteStream& stream, const Request& request);

// Idle connections (idle.cc): both ends hold `count` of them open for `seconds`.
absl::StatusOr<Progress> HoldIdle(Transport& transport, ByteStream& control, const Request& request,
                                  Report& local);
absl::StatusOr<Progress> ServeIdle(Listener& listener, ByteStream& control, const Request& request,
                                   Report& local);

}  // namespace netchannel::cli
