// SPDX-License-Identifier: Apache-2.0
//
// The one-way workloads: stream and messages differ in the sizes only.
#include <cerrno>
#include <vector>

#include "cli/bench/stop_rule.h"
#include "cli/bench/usage.h"
#include "cli/bench/workloads.h"
#include "cli/interrupt.h"

namespace netchannel::cli {

namespace {

constexpr uint64_t kSmallSend = 16 * 1024;      // below it the clock costs a share that counts
constexpr uint64_t kMessageBuffer = 64 * 1024;  // of the receiver of messages

}  // namespace

absl::StatusOr<Progress> SendOneWay(ByteStream& stream, const Request& request) {
  const std::vector<std::byte> buffer(request.size, std::byte{0x5a});
  Progress done;
  const Time start = Now();  // before the rule begins to count, so that no run is shorter
  StopRule rule(request, request.size < kSmallSend ? StopRule::kSendsPerClock : 1);
  while (rule.Next()) {
    if (auto status = SendAllInPlace(stream, buffer); !status.ok()) return status;
    done.bytes += buffer.size();
  }
  done.time = Now() - start;
  if (auto status = stream.FinishSending(); !status.ok()) return status;
  return done;
}

absl::StatusOr<Progress> ReceiveOneWay(ByteStream& stream, const Request& request) {
  std::vector<std::byte> buffer(request.workload == Workload::kMessages ? kMessageBuffer
                                                                        : request.size);
  Progress done;
  Time first;
  for (;;) {
    const ssize_t received = stream.ReceiveInPlace(absl::MakeSpan(buffer));
    if (received == 0) break;
    if (received < 0) {
      if (errno == EINTR && !InterruptRequested()) continue;
      return ErrnoError("receive");
    }
    if (done.bytes == 0) first = Now();
    done.bytes += static_cast<uint64_t>(received);
  }
  if (done.bytes != 0) done.time = Now() - first;
  return done;
}

}  // namespace netchannel::cli
