// SPDX-License-Identifier: Apache-2.0
#include "cli/status_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace netchannel::cli {

namespace {

using Json = nlohmann::ordered_json;

std::string Pad(const std::string& text, size_t width, bool right) {
  const std::string space(width > text.size() ? width - text.size() : 0, ' ');
  return right ? space + text : text + space;
}

std::string ValueText(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "-";
  if (value.is_object()) {  // inside a table's cell
    std::vector<std::string> parts;
    for (const auto& [key, member] : value.items()) {
      parts.push_back(absl::StrCat(key, "=", ValueText(member)));
    }
    return absl::StrJoin(parts, " ");
  }
  if (value.is_array()) {
    std::vector<std::string> parts;
    for (const auto& member : value) parts.push_back(ValueText(member));
    return parts.empty() ? "-" : absl::StrJoin(parts, " ");
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool IsTable(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const Json& row) { return row.is_object(); });
}

// Members that are tables themselves are not columns.
std::vector<std::string> ColumnsOf(const Json& rows) {
  std::vector<std::string> columns;
  for (const auto& row : rows) {
    for (const auto& [key, cell] : row.items()) {
      if (IsTable(cell)) continue;
      if (std::find(columns.begin(), columns.end(), key) == columns.end()) columns.push_back(key);
    }
  }
  return columns;
}

// The tables inside the rows, by member name: all rows' together, each led by the first member of
// its outer row.
Json InnerTables(const Json& rows) {
  Json tables = Json::object();
  for (const auto& row : rows) {
    for (const auto& [key, cell] : row.items()) {
      if (!IsTable(cell)) continue;
      for (const auto& inner : cell) {
        Json led = Json::object();
        led[row.begin().key()] = row.front();
        led.update(inner);
        tables[key].push_back(std::move(led));
      }
    }
  }
  return tables;
}

std::string RenderTable(const Json& rows, const std::string& indent) {
  const std::vector<std::string> columns = ColumnsOf(rows);
  std::vector<std::string> lines(rows.size() + 1, indent);
  for (const std::string& column : columns) {
    std::vector<std::string> cells = {column};
    bool numbers = true;
    for (const auto& row : rows) {
      const auto cell = row.find(column);
      cells.push_back(cell == row.end() ? "-" : ValueText(*cell));
      numbers = numbers && (cell == row.end() || cell->is_number());
    }
    size_t width = 0;
    for (const auto& cell : cells) width = std::max(width, cell.size());
    for (size_t i = 0; i < cells.size(); ++i) {
      absl::StrAppend(&lines[i], Pad(cells[i], width, numbers), "  ");
    }
  }
  std::string out;
  for (std::string& line : lines) {
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&out, line, "\n");
  }
  return out;
}

std::string RenderObject(const Json& object, const std::string& indent) {
  size_t width = 0;
  for (const auto& [key, value] : object.items()) {
    if (!value.is_object() && !IsTable(value)) width = std::max(width, key.size());
  }
  std::string out;
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      absl::StrAppend(&out, indent, key, "\n", RenderObject(value, indent + "  "));
    } else if (IsTable(value)) {
      absl::StrAppend(&out, indent, key, " (", value.size(), ")\n",
                      RenderTable(value, indent + "  "), RenderObject(InnerTables(value), indent));
    } else {
      absl::StrAppend(&out, indent, Pad(key, width, false), "  ", ValueText(value), "\n");
    }
  }
  return out;
}

}  // namespace

std::string RenderStatus(const Json& status) {
  if (status.is_object()) return RenderObject(status, "");
  return absl::StrCat(ValueText(status), "\n");
}

}  // namespace netchannel::cli
