// SPDX-License-Identifier: Apache-2.0
#include "cli/status_connections.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/status_table.h"

namespace netchannel::cli {
namespace {

nlohmann::ordered_json Parse(const char* text) {
  return nlohmann::ordered_json::parse(text, nullptr, false);
}

TEST(StatusConnections, ShowsWhoseConnectionsTakeWhichPath) {
  const auto selected = SelectConnections(Parse(R"({
    "stack": {"pid": 7, "interface": "eth0"},
    "lanes": [{"lane": 0}],
    "sockets": [
      {"socket": 3, "state": "connected", "class": "latency", "local": "10.0.0.1:80",
       "peer": "10.0.0.2:40000", "pid": 12, "command": "redis-server", "channels": [0, 2],
       "sent_bytes": 10, "received_bytes": 2000, "unsent_bytes": 0}],
    "fallback_counts": {"no-answer": 2, "icmp-unreachable": 0},
    "fallbacks": [{"seconds_ago": 4, "peer": "10.0.0.9:80", "reason": "no-answer", "pid": 12,
                   "command": "curl"}]})"));
  EXPECT_EQ(RenderStatus(selected),
            "stack\n"
            "  pid        7\n"
            "  interface  eth0\n"
            "connections (1)\n"
            "  local        peer            state      class    pid  command       channels  "
            "sent_bytes  received_bytes\n"
            "  10.0.0.1:80  10.0.0.2:40000  connected  latency   12  redis-server  0 2       "
            "        10            2000\n"
            "over_kernel_tcp_by_reason\n"
            "  no-answer  2\n"
            "over_kernel_tcp_lately (1)\n"
            "  seconds_ago  peer         reason     pid  command\n"
            "            4  10.0.0.9:80  no-answer   12  curl\n");
}

TEST(StatusConnections, AStackWithoutAnySaysSo) {
  const auto selected = SelectConnections(Parse(R"({"sockets": [], "fallbacks": []})"));
  EXPECT_EQ(selected["connections"].size(), 0u);
  EXPECT_EQ(selected["over_kernel_tcp_lately"].size(), 0u);
}

// An older stack's.
TEST(StatusConnections, WhatAStatusLacksIsLeftOut) {
  const auto selected = SelectConnections(Parse(R"({"sockets": [{"local": "10.0.0.1:80"}]})"));
  EXPECT_EQ(selected["connections"], Parse(R"([{"local": "10.0.0.1:80"}])"));
}

}  // namespace
}  // namespace netchannel::cli
