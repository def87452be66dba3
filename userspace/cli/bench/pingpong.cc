// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "cli/bench/stop_rule.h"
#include "cli/bench/usage.h"
#include "cli/bench/workloads.h"

namespace netchannel::cli {

namespace {

// Round trips that are made first and not counted: caches, branch predictors, the congestion
// window's start. As many as are counted or for as long at the most: where two ends that spin share
// a core each takes milliseconds.
constexpr uint64_t kWarmUp = 1000;

absl::Status RoundTrip(ByteStream& stream, absl::Span<std::byte> buffer) {
  if (auto status = SendAll(stream, buffer); !status.ok()) return status;
  return ReceiveAll(stream, buffer);
}

}  // namespace

absl::StatusOr<Progress> SendPings(ByteStream& stream, const Request& request,
                                   Histogram& round_trips) {
  std::vector<std::byte> buffer(request.size, std::byte{0x5a});
  StopRule warming_up(request, 1);
  for (uint64_t i = 0; i < kWarmUp && warming_up.Next(); ++i) {
    if (auto status = RoundTrip(stream, absl::MakeSpan(buffer)); !status.ok()) return status;
  }
  Progress done;
  const Time start = Now();  // before the rule begins to count, so that no run is shorter
  StopRule rule(request, 1);
  Time before = start;
  while (rule.Next()) {
    before = Now();
    if (auto status = RoundTrip(stream, absl::MakeSpan(buffer)); !status.ok()) return status;
    round_trips.Record(Now() - before);
    done.bytes += buffer.size();
  }
  done.time = Now() - start;
  if (auto status = stream.FinishSending(); !status.ok()) return status;
  return done;
}

absl::StatusOr<Progress> EchoPings(ByteStream& stream, const Request& request) {
  std::vector<std::byte> buffer(request.size);
  Progress done;
  Time first;
  for (;;) {
    const absl::Status received = ReceiveAll(stream, absl::MakeSpan(buffer));
    if (absl::IsOutOfRange(received)) break;  // the client is through
    if (!received.ok()) return received;
    if (done.bytes == 0) first = Now();
    if (auto status = SendAll(stream, buffer); !status.ok()) return status;
    done.bytes += buffer.size();
  }
  if (done.bytes != 0) done.time = Now() - first;
  return done;
}

}  // namespace netchannel::cli
