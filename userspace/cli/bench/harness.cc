// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/harness.h"

#include <cstdio>

#include "cli/bench/usage.h"
#include "cli/bench/workloads.h"

namespace netchannel::cli {

namespace {

absl::StatusOr<Progress> ClientWorkload(Transport& transport, ByteStream& stream, Result& result) {
  switch (result.request.workload) {
    case Workload::kStream:
    case Workload::kMessages:
      return SendOneWay(stream, result.request);
    case Workload::kPingPong:
      return SendPings(stream, result.request, result.round_trips);
    case Workload::kIdle:
      return HoldIdle(transport, stream, result.request, result.client);
  }
  return absl::InternalError("unknown workload");
}

absl::StatusOr<Progress> ServerWorkload(Listener& listener, ByteStream& stream,
                                        const Request& request, Report& report) {
  switch (request.workload) {
    case Workload::kStream:
    case Workload::kMessages:
      return ReceiveOneWay(stream, request);
    case Workload::kPingPong:
      return EchoPings(stream, request);
    case Workload::kIdle:
      return ServeIdle(listener, stream, request, report);
  }
  return absl::InternalError("unknown workload");
}

// The idle workload measures its own quiet part; of the others the whole run counts.
void Complete(Report& report, const Request& request, const Progress& progress, Duration cpu) {
  report.bytes = progress.bytes;
  report.nanos = progress.time.nanos();
  if (request.workload == Workload::kIdle) return;
  report.cpu_nanos = (ProcessCpu() - cpu).nanos();
  report.resident_bytes = ResidentBytes();
}

absl::Status ServeOne(Listener& listener, ByteStream& stream) {
  const auto request = ReceiveGreeting<Request>(stream);
  if (!request.ok()) return request.status();
  if (auto status = CheckRequest(*request); !status.ok()) return status;
  const Duration cpu = ProcessCpu();
  if (auto status = SendValue(stream, Ready{}); !status.ok()) return status;

  Report report;
  const auto progress = ServerWorkload(listener, stream, *request, report);
  if (!progress.ok()) return progress.status();
  Complete(report, *request, *progress, cpu);
  if (auto status = SendValue(stream, report); !status.ok()) return status;
  stream.FinishSending().IgnoreError();  // a client that has read the report may be gone
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Result>> RunClient(Transport& transport, const Request& request) {
  if (auto status = CheckRequest(request); !status.ok()) return status;
  auto result = std::make_unique<Result>();
  result->request = request;
  auto stream = transport.Connect();
  if (!stream.ok()) return stream.status();
  if (auto status = SendValue(**stream, request); !status.ok()) return status;
  const auto ready = ReceiveGreeting<Ready>(**stream);
  if (!ready.ok()) return ready.status();

  const Duration cpu = ProcessCpu();
  const auto progress = ClientWorkload(transport, **stream, *result);
  if (!progress.ok()) return progress.status();
  const auto report = ReceiveValue<Report>(**stream);
  if (!report.ok()) return report.status();
  // After the report: a sender's work is done when its bytes have arrived, not when they are
  // buffered.
  Complete(result->client, request, *progress, cpu);
  result->server = *report;
  return result;
}

absl::Status RunServer(Transport& transport, bool once) {
  auto listener = transport.Listen();
  if (!listener.ok()) return listener.status();
  std::printf("ready\n");
  std::fflush(stdout);
  for (;;) {
    auto stream = (*listener)->Accept();
    if (!stream.ok()) return stream.status();
    absl::Status served = ServeOne(**listener, **stream);
    if (once || absl::IsCancelled(served)) return served;
    if (!served.ok()) std::fprintf(stderr, "netchannel: %s\n", served.ToString().c_str());
  }
}

}  // namespace netchannel::cli
