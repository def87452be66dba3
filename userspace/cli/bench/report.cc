// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace netchannel::cli {

namespace {

const char* Name(Workload workload) {
  switch (workload) {
    case Workload::kStream:
      return "stream";
    case Workload::kMessages:
      return "messages";
    case Workload::kPingPong:
      return "pingpong";
    case Workload::kIdle:
      return "idle";
  }
  return "unknown";
}

double Seconds(int64_t nanos) { return static_cast<double>(nanos) * 1e-9; }

double PerSecond(double amount, int64_t nanos) { return nanos > 0 ? amount / Seconds(nanos) : 0.0; }

double GoodputGbps(const Result& r) {
  return PerSecond(static_cast<double>(r.server.bytes) * 8e-9, r.server.nanos);
}

double MessagesPerSecond(const Result& r) {
  return PerSecond(static_cast<double>(r.server.bytes) / static_cast<double>(r.request.size),
                   r.server.nanos);
}

double Micros(const Result& r, double percentile) {
  return static_cast<double>(r.round_trips.ValueAtPercentile(percentile).nanos()) * 1e-3;
}

bool IsOneWay(const Result& r) {
  return r.request.workload == Workload::kStream || r.request.workload == Workload::kMessages;
}

double Mebibytes(uint64_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024.0); }

std::string IdleText(const Result& r) {
  const auto end = [](const char* name, const Report& report) {
    return absl::StrFormat(
        "  %s: %.2f %% of a core, %.1f MiB resident, %.1f MiB before the connections\n", name,
        100.0 * PerSecond(Seconds(report.cpu_nanos), report.nanos),
        Mebibytes(report.resident_bytes), Mebibytes(report.resident_at_start));
  };
  return absl::StrFormat("idle: %d connections for %.1f s\n", r.request.count,
                         Seconds(r.client.nanos)) +
         end("client", r.client) + end("server", r.server);
}

}  // namespace

std::string ToJson(const Result& r, const EndpointOptions& options) {
  nlohmann::ordered_json out;
  out["workload"] = Name(r.request.workload);
  out["over"] = options.over;
  out["size"] = r.request.size;
  out["bytes"] = r.server.bytes;
  out["seconds"] = Seconds(r.server.nanos);
  out["client_seconds"] = Seconds(r.client.nanos);
  if (IsOneWay(r)) {
    out["goodput_gbps"] = GoodputGbps(r);
    out["messages_per_second"] = MessagesPerSecond(r);
  }
  if (r.request.workload == Workload::kPingPong) {
    out["count"] = r.round_trips.count();
    out["p50_us"] = Micros(r, 50);
    out["p99_us"] = Micros(r, 99);
    out["p999_us"] = Micros(r, 99.9);
    out["max_us"] = static_cast<double>(r.round_trips.max().nanos()) * 1e-3;
  }
  if (r.request.workload == Workload::kIdle) {
    out["count"] = r.request.count;
    out["client_resident_at_start"] = r.client.resident_at_start;
    out["server_resident_at_start"] = r.server.resident_at_start;
  }
  out["client_cpu_seconds"] = Seconds(r.client.cpu_nanos);
  out["server_cpu_seconds"] = Seconds(r.server.cpu_nanos);
  out["client_resident_bytes"] = r.client.resident_bytes;
  out["server_resident_bytes"] = r.server.resident_bytes;
  return out.dump();
}

std::string ToText(const Result& r, const EndpointOptions& options) {
  if (r.request.workload == Workload::kIdle) return IdleText(r);
  std::string out = absl::StrFormat("%s over %s, %d bytes a send\n", Name(r.request.workload),
                                    options.over, r.request.size);
  if (IsOneWay(r)) {
    absl::StrAppendFormat(
        &out, "  %.2f Gbit/s, %.0f sends/s (%d bytes in %.3f s at the receiver)\n", GoodputGbps(r),
        MessagesPerSecond(r), r.server.bytes, Seconds(r.server.nanos));
  } else {
    absl::StrAppendFormat(
        &out, "  round trip P50 %.1f us, P99 %.1f us, P99.9 %.1f us, max %.1f us (%d)\n",
        Micros(r, 50), Micros(r, 99), Micros(r, 99.9), Micros(r, 100), r.round_trips.count());
  }
  absl::StrAppendFormat(&out, "  CPU: %.3f s at the client, %.3f s at the server\n",
                        Seconds(r.client.cpu_nanos), Seconds(r.server.cpu_nanos));
  return out;
}

}  // namespace netchannel::cli
