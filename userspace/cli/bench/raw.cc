// SPDX-License-Identifier: Apache-2.0
//
// Both ends of a raw measurement. The client: request until ready, the workload, finish until the
// report. The server: one loop that answers each frame by its kind, so a frame that is lost or
// doubled does no harm.
#include "cli/bench/raw.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/bench/raw_link.h"
#include "cli/bench/stop_rule.h"
#include "cli/bench/usage.h"
#include "cli/interrupt.h"

namespace netchannel::cli {

namespace {

constexpr Duration kRetry = Duration::Millis(10);     // of a request or a finish without an answer
constexpr Duration kPatience = Duration::Seconds(5);  // for an answer at all
constexpr Duration kPingTimeout =
    Duration::Millis(50);                         // then a ping counts as lost and is sent again
constexpr Duration kSpin = Duration::Micros(50);  // before a receiver of one-way traffic sleeps
constexpr Duration kQuiet =
    Duration::Millis(200);  // after the report, for it to be asked for again
constexpr size_t kReadBuffer = 256 * 1024;

template <typename T>
absl::Span<const std::byte> BytesOf(const T& value) {
  return {reinterpret_cast<const std::byte*>(&value), sizeof(T)};
}

template <typename T>
std::optional<T> ValueIn(const RxPacket& packet) {
  T value;
  const auto room = absl::MakeSpan(reinterpret_cast<std::byte*>(&value), sizeof(T));
  if (CopyRawPayload(packet, room) != sizeof(T)) return std::nullopt;
  return value;
}

// Sends `kind` until a frame of kind `answer` comes; the packet is given to `take`.
template <typename Take>
absl::Status Ask(RawLink& link, RawKind kind, absl::Span<const std::byte> payload, RawKind answer,
                 Take take) {
  const Time give_up = Now() + kPatience;
  while (Now() < give_up) {
    if (!link.SendNow(kind, payload)) return InterruptedError();
    bool answered = false;
    for (const Time retry = Now() + kRetry; !answered && Now() < retry;) {
      link.Sleep(kRetry);
      link.Receive([&](RawKind got, const RxPacket& packet) {
        if (got == answer && take(packet)) answered = true;
      });
    }
    if (answered) return absl::OkStatus();
    if (InterruptRequested()) return InterruptedError();
  }
  return absl::DeadlineExceededError(
      "the peer does not answer; is `bench --over raw --server` running there?");
}

// ---- client ----

// Sends the application's buffer over and over, a frame's payload at a time, as a program that
// writes a buffer of that size does: its copies find the bytes where a stream's find them.
absl::Status SendFrames(RawLink& link, const Request& request, size_t buffer_bytes) {
  const std::vector<std::byte> buffer(std::max<size_t>(buffer_bytes, request.size),
                                      std::byte{0x5a});
  StopRule rule(request, StopRule::kSendsPerClock);
  size_t batch = 0;
  size_t at = 0;
  while (rule.Next()) {
    if (at + request.size > buffer.size()) at = 0;
    const auto payload = absl::MakeConstSpan(buffer).subspan(at, request.size);
    at += request.size;
    while (!link.Send(RawKind::kData, payload)) {
      link.Flush();
      if (InterruptRequested()) return InterruptedError();
    }
    if (++batch < RawLink::kBatch) continue;
    batch = 0;
    link.Flush();
  }
  while (!link.Flush()) {
    if (InterruptRequested()) return InterruptedError();
  }
  return absl::OkStatus();
}

// One ping and its echo; false when it was lost.
bool RoundTrip(RawLink& link, absl::Span<std::byte> payload, bool spin) {
  if (!link.SendNow(RawKind::kPing, payload)) return false;
  const Time lost = Now() + kPingTimeout;
  bool echoed = false;
  while (!echoed && Now() < lost) {
    if (!spin) link.Sleep(kPingTimeout);
    link.Receive([&](RawKind kind, const RxPacket& packet) {
      if (kind != RawKind::kPing) return;
      CopyRawPayload(packet, payload);
      echoed = true;
    });
  }
  return echoed;
}

absl::Status SendRawPings(RawLink& link, const Request& request, bool spin,
                          Histogram& round_trips) {
  std::vector<std::byte> payload(request.size, std::byte{0x5a});
  for (StopRule rule(request, 1); rule.Next();) {
    const Time before = Now();
    if (RoundTrip(link, absl::MakeSpan(payload), spin)) round_trips.Record(Now() - before);
    if (InterruptRequested()) return InterruptedError();
  }
  return absl::OkStatus();
}

// ---- server ----

class RawServer {
 public:
  RawServer(RawLink& link, bool spin) : link_(link), spin_(spin), buffer_(kReadBuffer) {}

  absl::Status Run(bool once) {
    for (;;) {
      now_ = Now();
      const size_t received =
          link_.Receive([this](RawKind kind, const RxPacket& packet) { OnFrame(kind, packet); });
      link_.Flush();
      if (InterruptRequested()) return InterruptedError();
      if (received != 0) {
        idle_since_ = Time();
        continue;
      }
      if (once && finished_ && now_ - finished_at_ > kQuiet) return absl::OkStatus();
      WaitForMore();
    }
  }

 private:
  void WaitForMore() {
    if (spin_ && running_) return;
    if (idle_since_ == Time()) idle_since_ = now_;
    if (running_ && request_.workload != Workload::kPingPong && now_ - idle_since_ < kSpin) return;
    link_.Sleep(kQuiet);
  }

  void OnFrame(RawKind kind, const RxPacket& packet) {
    switch (kind) {
      case RawKind::kRequest:
        return OnRequest(packet);
      case RawKind::kData:
        return OnData(packet);
      case RawKind::kPing:
        return OnPing(packet);
      case RawKind::kFinish:
        return OnFinish();
      case RawKind::kReady:
      case RawKind::kReport:
        return;  // a client's to receive
    }
  }

  void OnRequest(const RxPacket& packet) {
    const auto request = ValueIn<Request>(packet);
    if (!request || !CheckRequest(*request).ok()) return;
    request_ = *request;
    report_ = Report{};
    running_ = true;
    finished_ = false;
    cpu_ = ProcessCpu();
    link_.AnswerTo(packet);
    link_.SendNow(RawKind::kReady, BytesOf(Ready{}));
  }

  void OnData(const RxPacket& packet) {
    if (!running_) return;
    if (report_.bytes == 0) first_ = now_;
    last_ = now_;
    if (at_ + packet.length > buffer_.size()) at_ = 0;
    const size_t length = CopyRawPayload(packet, absl::MakeSpan(buffer_).subspan(at_));
    at_ += length;
    report_.bytes += length;
  }

  void OnPing(const RxPacket& packet) {
    if (!running_) return;
    OnData(packet);
    const size_t length = packet.length - kRawPayloadAt;
    CopyRawPayload(packet, absl::MakeSpan(buffer_).subspan(0, length));
    link_.Send(RawKind::kPing, absl::MakeConstSpan(buffer_).subspan(0, length));
  }

  void OnFinish() {
    if (running_) {
      running_ = false;
      finished_ = true;
      report_.nanos = (last_ - first_).nanos();
      report_.cpu_nanos = (ProcessCpu() - cpu_).nanos();
      report_.resident_bytes = ResidentBytes();
    }
    if (!finished_) return;
    finished_at_ = now_;
    link_.SendNow(RawKind::kReport, BytesOf(report_));
  }

  RawLink& link_;
  const bool spin_;
  std::vector<std::byte> buffer_;
  size_t at_ = 0;
  Request request_;
  Report report_;
  bool running_ = false;
  bool finished_ = false;
  Duration cpu_;
  Time now_;  // of the batch: a clock reading for each frame would show in the result
  Time first_, last_, idle_since_, finished_at_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Result>> RunRawClient(const EndpointOptions& options,
                                                     const Request& request) {
  if (request.workload == Workload::kIdle) {
    return absl::InvalidArgumentError("bench idle --over raw: there are no connections to hold");
  }
  auto link = RawLink::Open(options);
  if (!link.ok()) return link.status();
  if (auto status = (*link)->FindPeer(options); !status.ok()) return status;
  auto result = std::make_unique<Result>();
  result->request = request;
  result->request.size = std::min<uint64_t>(request.size, (*link)->max_payload());
  if (auto status = CheckRequest(result->request); !status.ok()) return status;
  auto status = Ask(**link, RawKind::kRequest, BytesOf(result->request), RawKind::kReady,
                    [](const RxPacket&) { return true; });
  if (!status.ok()) return status;

  const Duration cpu = ProcessCpu();
  const Time start = Now();
  status = request.workload == Workload::kPingPong
               ? SendRawPings(**link, result->request, options.spin, result->round_trips)
               : SendFrames(**link, result->request, request.size);
  if (!status.ok()) return status;
  result->client.nanos = (Now() - start).nanos();
  result->client.cpu_nanos = (ProcessCpu() - cpu).nanos();
  result->client.resident_bytes = ResidentBytes();

  status = Ask(**link, RawKind::kFinish, {}, RawKind::kReport, [&](const RxPacket& packet) {
    const auto report = ValueIn<Report>(packet);
    if (report) result->server = *report;
    return report.has_value();
  });
  if (!status.ok()) return status;
  return result;
}

absl::Status RunRawServer(const EndpointOptions& options, bool once) {
  auto link = RawLink::Open(options);
  if (!link.ok()) return link.status();
  std::printf("ready\n");
  std::fflush(stdout);
  RawServer server(**link, options.spin);
  return server.Run(once);
}

}  // namespace netchannel::cli
