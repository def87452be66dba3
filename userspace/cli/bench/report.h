// SPDX-License-Identifier: Apache-2.0
//
// A Result as one line of JSON for programs, or as lines for people.
// JSON keys: workload, over, size, count, bytes (received), seconds (at the receiver),
// goodput_gbps, messages_per_second, p50_us, p99_us, p999_us, max_us, client_cpu_seconds,
// server_cpu_seconds, client_resident_bytes, server_resident_bytes, client_resident_at_start,
// server_resident_at_start, client_seconds. A key that says nothing about the workload is absent.
#pragma once

#include <string>

#include "cli/bench/harness.h"

namespace netchannel::cli {

std::string ToJson(const Result& result, const EndpointOptions& options);
std::string ToText(const Result& result, const EndpointOptions& options);

}  // namespace netchannel::cli
