// SPDX-License-Identifier: Apache-2.0
#include "cli/status_connections.h"

#include <nlohmann/json.hpp>

namespace netchannel::cli {

namespace {

using Json = nlohmann::ordered_json;

// In the order of the table's columns.
constexpr const char* kColumns[] = {"local",   "peer",     "state",      "class",         "pid",
                                    "command", "channels", "sent_bytes", "received_bytes"};

Json Columns(const Json& socket) {
  Json row = Json::object();
  for (const char* column : kColumns) {
    if (const auto cell = socket.find(column); cell != socket.end()) row[column] = *cell;
  }
  return row;
}

bool IsCount(const Json& value) { return value.is_number_unsigned() && value != 0; }

}  // namespace

Json SelectConnections(const Json& status) {
  Json selected = Json::object();
  if (const auto stack = status.find("stack"); stack != status.end()) selected["stack"] = *stack;
  Json connections = Json::array();
  if (const auto sockets = status.find("sockets"); sockets != status.end()) {
    for (const Json& socket : *sockets) connections.push_back(Columns(socket));
  }
  selected["connections"] = std::move(connections);
  Json counts = Json::object();
  if (const auto all = status.find("fallback_counts"); all != status.end()) {
    for (const auto& [reason, count] : all->items()) {
      if (IsCount(count)) counts[reason] = count;
    }
  }
  selected["over_kernel_tcp_by_reason"] = std::move(counts);
  const auto fallbacks = status.find("fallbacks");
  selected["over_kernel_tcp_lately"] = fallbacks != status.end() ? *fallbacks : Json::array();
  return selected;
}

}  // namespace netchannel::cli
