// SPDX-License-Identifier: Apache-2.0
//
// What open connections cost when nothing happens on them. The client opens them one after the
// other, both ends then sleep for the same time, and each measures its own process over that sleep
// alone.
#include <cerrno>
#include <ctime>
#include <memory>
#include <vector>

#include "cli/bench/usage.h"
#include "cli/bench/workloads.h"
#include "cli/interrupt.h"

namespace netchannel::cli {

namespace {

// After the last connection was made: acknowledgements and timers of the opening are not "idle".
constexpr int64_t kSettleMillis = 1000;

absl::Status Sleep(Duration time) {
  const timespec ts{.tv_sec = time.nanos() / 1'000'000'000,
                    .tv_nsec = time.nanos() % 1'000'000'000};
  if (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, nullptr) == EINTR) return InterruptedError();
  return absl::OkStatus();
}

absl::StatusOr<Progress> SleepAndMeasure(const Request& request, Report& local) {
  if (auto status = Sleep(Duration::Millis(kSettleMillis)); !status.ok()) return status;
  const Time start = Now();
  const Duration cpu = ProcessCpu();
  const auto length = Duration::Nanos(static_cast<int64_t>(request.seconds * 1e9));
  if (auto status = Sleep(length); !status.ok()) return status;
  local.cpu_nanos = (ProcessCpu() - cpu).nanos();
  local.resident_bytes = ResidentBytes();
  return Progress{.bytes = 0, .time = Now() - start};
}

}  // namespace

absl::StatusOr<Progress> HoldIdle(Transport& transport, ByteStream& control, const Request& request,
                                  Report& local) {
  std::vector<std::unique_ptr<ByteStream>> connections;
  connections.reserve(request.count);
  local.resident_at_start = ResidentBytes();
  for (uint64_t i = 0; i < request.count; ++i) {
    auto connection = transport.Connect();
    if (!connection.ok()) return connection.status();
    connections.push_back(*std::move(connection));
  }
  if (auto all_open = ReceiveGreeting<Ready>(control); !all_open.ok()) return all_open.status();
  auto progress = SleepAndMeasure(request, local);
  if (!progress.ok()) return progress;
  if (auto status = control.FinishSending(); !status.ok()) return status;
  return progress;
}

absl::StatusOr<Progress> ServeIdle(Listener& listener, ByteStream& control, const Request& request,
                                   Report& local) {
  std::vector<std::unique_ptr<ByteStream>> connections;
  connections.reserve(request.count);
  local.resident_at_start = ResidentBytes();
  for (uint64_t i = 0; i < request.count; ++i) {
    auto connection = listener.Accept();
    if (!connection.ok()) return connection.status();
    connections.push_back(*std::move(connection));
  }
  if (auto status = SendValue(control, Ready{}); !status.ok()) return status;
  return SleepAndMeasure(request, local);
}

}  // namespace netchannel::cli
