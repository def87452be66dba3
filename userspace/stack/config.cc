// SPDX-License-Identifier: Apache-2.0
#include "stack/config.h"

#include <algorithm>
#include <bit>
#include <type_traits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "netdriver/peer_networks.h"
#include "stack/config_keys.h"
#include "stack/config_rules.h"
#include "stack/config_table.h"

namespace netchannel {

namespace {

// Abseil's string_view is a type of its own where Abseil was built for C++14, as in Debian 12.
absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string FullName(const ConfigKey& key) { return absl::StrCat(key.section, ".", key.name); }

// "netchannel.toml:3: session.channels: ..."
absl::Status Refuse(absl::string_view origin, const toml::node& node, absl::string_view name,
                    absl::string_view why) {
  return OneLineError(absl::StrCat(PlaceOf(origin, node), ": ", name, ": ", why));
}

std::string RangeOf(const ConfigField& field) {
  return std::visit(
      [](const auto& f) -> std::string {
        using F = std::decay_t<decltype(f)>;
        if constexpr (std::is_same_v<F, UintField> || std::is_same_v<F, PortField>) {
          return absl::StrCat("a number from ", f.min, " to ", f.max);
        } else if constexpr (std::is_same_v<F, BoolField>) {
          return "true or false";
        } else if constexpr (std::is_same_v<F, TextField>) {
          return f.allowed.empty() ? "a text"
                                   : absl::StrCat("one of ", absl::StrJoin(f.allowed, ", "));
        } else if constexpr (std::is_same_v<F, TextListField>) {
          return absl::StrCat("a list of at most ", f.max_count, " texts");
        } else {
          return absl::StrCat("a list of at most ", f.max_count, " numbers up to ", f.max);
        }
      },
      field);
}

// Each Store returns false when the node has another type or the value is out of range.
template <typename Field>
bool StoreNumber(const Field& field, const toml::node& node, Config& config) {
  const auto value = node.value_exact<int64_t>();
  if (!value || *value < field.min || *value > field.max) return false;
  config.*field.field = static_cast<std::decay_t<decltype(config.*field.field)>>(*value);
  return true;
}
bool Store(const UintField& field, const toml::node& node, Config& config) {
  return StoreNumber(field, node, config);
}
bool Store(const PortField& field, const toml::node& node, Config& config) {
  return StoreNumber(field, node, config);
}
bool Store(const BoolField& field, const toml::node& node, Config& config) {
  const auto value = node.value_exact<bool>();
  if (value) config.*field.field = *value;
  return value.has_value();
}
bool Store(const TextField& field, const toml::node& node, Config& config) {
  const auto value = node.value_exact<std::string>();
  if (!value) return false;
  bool known = field.allowed.empty();
  for (absl::string_view allowed : field.allowed) known |= *value == allowed;
  if (known) config.*field.field = *value;
  return known;
}
bool Store(const TextListField& field, const toml::node& node, Config& config) {
  const toml::array* list = node.as_array();
  if (list == nullptr || list->size() > field.max_count) return false;
  auto& out = config.*field.field;
  out.clear();
  for (const toml::node& item : *list) {
    const auto value = item.value_exact<std::string>();
    if (!value) return false;
    out.push_back(*value);
  }
  return true;
}
bool Store(const UintListField& field, const toml::node& node, Config& config) {
  const toml::array* list = node.as_array();
  if (list == nullptr || list->size() > field.max_count) return false;
  auto& out = config.*field.field;
  out.clear();
  for (const toml::node& item : *list) {
    const auto value = item.value_exact<int64_t>();
    if (!value || *value < 0 || *value > field.max) return false;
    out.push_back(static_cast<uint32_t>(*value));
  }
  return true;
}

const ConfigKey* FindKey(absl::string_view section, absl::string_view name) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.section == section && key.name == name) return &key;
  }
  return nullptr;
}

bool IsSection(absl::string_view section) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.section == section) return true;
  }
  return false;
}

absl::Status ReadSection(absl::string_view origin, absl::string_view section,
                         const toml::table& table, Config& config) {
  for (const auto& [name, node] : table) {
    const ConfigKey* key = FindKey(section, View(name.str()));
    if (key == nullptr) {
      return Refuse(origin, node, absl::StrCat(section, ".", View(name.str())),
                    "unknown key; `netchannel config` lists all keys");
    }
    const bool stored = std::visit(
        [&, &value = node](const auto& field) { return Store(field, value, config); }, key->field);
    if (!stored) {
      return Refuse(origin, node, FullName(*key),
                    absl::StrCat("must be ", RangeOf(key->field),
                                 key->unit.empty() ? "" : absl::StrCat(" (", key->unit, ")")));
    }
  }
  return absl::OkStatus();
}

absl::Status RequirePowerOfTwo(uint32_t value, absl::string_view name) {
  if (std::has_single_bit(value)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", value, " is not a power of two; use ",
                                                 std::bit_floor(value), " or ",
                                                 std::bit_ceil(value)));
}

std::string ValueText(const ConfigField& field, const Config& config) {
  return std::visit(
      [&](const auto& f) -> std::string {
        using F = std::decay_t<decltype(f)>;
        const auto& value = config.*f.field;
        if constexpr (std::is_same_v<F, BoolField>) {
          return value ? "true" : "false";
        } else if constexpr (std::is_same_v<F, TextField>) {
          return absl::StrCat("\"", value, "\"");
        } else if constexpr (std::is_same_v<F, TextListField>) {
          return value.empty() ? "[]" : absl::StrCat("[\"", absl::StrJoin(value, "\", \""), "\"]");
        } else if constexpr (std::is_same_v<F, UintListField>) {
          return absl::StrCat("[", absl::StrJoin(value, ", "), "]");
        } else {
          return absl::StrCat(value);
        }
      },
      field);
}

}  // namespace

std::string PlaceOf(absl::string_view origin, const toml::node& node) {
  const auto line = static_cast<uint32_t>(node.source().begin.line);
  return line == 0 ? std::string(origin) : absl::StrCat(origin, ":", line);
}

absl::Status OneLineError(std::string message) {
  std::replace_if(
      message.begin(), message.end(), [](char c) { return absl::ascii_iscntrl(c); }, '?');
  return absl::InvalidArgumentError(message);
}

absl::StatusOr<toml::table> ParseToml(absl::string_view text, absl::string_view origin) {
  toml::parse_result parsed = toml::parse(std::string_view(text.data(), text.size()),
                                          std::string_view(origin.data(), origin.size()));
  if (parsed) return std::move(parsed).table();
  return OneLineError(absl::StrCat(origin, ":",
                                   static_cast<uint32_t>(parsed.error().source().begin.line),
                                   ": not TOML: ", View(parsed.error().description())));
}

absl::Status ReadTable(absl::string_view origin, const toml::table& table, Config& config) {
  for (const auto& [name, node] : table) {
    if (name.str() == "class_rules") {
      auto rules = ReadClassRules(origin, node);
      if (!rules.ok()) return rules.status();
      config.class_rules = *std::move(rules);
      continue;
    }
    const toml::table* section = node.as_table();
    if (section == nullptr || !IsSection(View(name.str()))) {
      return Refuse(origin, node, View(name.str()),
                    section == nullptr
                        ? "a key outside a section; `netchannel config` lists all keys"
                        : "unknown section; `netchannel config` lists all keys");
    }
    if (absl::Status status = ReadSection(origin, View(name.str()), *section, config);
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Config> ParseConfig(absl::string_view text, absl::string_view origin) {
  const auto table = ParseToml(text, origin);
  if (!table.ok()) return table.status();
  Config config;
  if (absl::Status status = ReadTable(origin, *table, config); !status.ok()) return status;
  if (absl::Status status = CheckConfig(config); !status.ok()) {
    return OneLineError(absl::StrCat(origin, ": ", status.message()));
  }
  return config;
}

absl::Status CheckConfig(const Config& config) {
  const std::pair<uint32_t, absl::string_view> powers[] = {
      {config.rx_ring, "driver.rx_ring"},
      {config.tx_ring, "driver.tx_ring"},
      {config.max_sockets, "sockets.max_sockets"},
      {config.buffer_kib, "sockets.buffer_kib"},
  };
  for (const auto& [value, name] : powers) {
    if (absl::Status status = RequirePowerOfTwo(value, name); !status.ok()) return status;
  }
  if (config.ephemeral_first > config.ephemeral_last) {
    return absl::InvalidArgumentError(
        absl::StrCat("sockets.ephemeral_first: ", config.ephemeral_first,
                     " is above sockets.ephemeral_last, ", config.ephemeral_last));
  }
  if (config.initial_window_kib > config.buffer_kib) {
    return absl::InvalidArgumentError(
        absl::StrCat("sockets.initial_window_kib: ", config.initial_window_kib,
                     " is above sockets.buffer_kib, ", config.buffer_kib));
  }
  for (const std::string& network : config.networks) {
    if (const auto prefix = IpPrefix::Parse(network); !prefix.ok()) {
      return OneLineError(absl::StrCat("peers.networks: ", prefix.status().message()));
    }
  }
  if (config.scaling_policy != "fixed" && config.channels > config.max_channels) {
    return absl::InvalidArgumentError(absl::StrCat("session.channels: ", config.channels,
                                                   " is above scaling.max_channels, ",
                                                   config.max_channels));
  }
  if (config.mtu != 0 && config.mtu < 1280) {
    return absl::InvalidArgumentError(
        absl::StrCat("session.mtu: ", config.mtu, " is below 1280, the least that IPv6 allows"));
  }
  return absl::OkStatus();
}

ipc::RegionShape RegionShapeOf(const Config& config) {
  constexpr uint32_t kKib = 1024;
  const CopyPolicyEntry* const policy = FindCopyPolicy(config.copy_policy);
  ipc::CopySettings copy;
  copy.workers = config.copy_workers;
  copy.policy = policy != nullptr ? policy->number : 0;
  copy.threshold = config.copy_threshold_kib * kKib;
  copy.worker_backlog = config.copy_worker_backlog_kib * kKib;
  copy.send_in_flight = config.copy_send_in_flight_kib * kKib;
  copy.receive_in_flight = config.copy_receive_in_flight_kib * kKib;
  copy.help = config.copy_help ? 1 : 0;
  copy.checked = config.copy_checked ? 1 : 0;
  return {.socket_count = config.max_sockets,
          .ring_bytes = uint64_t{config.buffer_kib} * kKib,
          .copy = copy};
}

ThreadPriorityConfig ThreadPriorityOf(const Config& config) {
  ThreadPriorityConfig priority;
  for (const Scheduling one : {Scheduling::kNice, Scheduling::kRoundRobin, Scheduling::kFifo}) {
    if (config.scheduling == SchedulingName(one)) priority.scheduling = one;
  }
  priority.priority = config.priority;
  priority.budget = Duration::Micros(config.budget_us);
  return priority;
}

std::string DefaultConfigText() {
  const Config defaults;
  std::string text;
  absl::string_view section;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.section != section) {
      absl::StrAppend(&text, section.empty() ? "" : "\n", "[", key.section, "]\n");
      section = key.section;
    }
    absl::StrAppend(&text, "# ", key.meaning, ". ", RangeOf(key.field),
                    key.unit.empty() ? "" : absl::StrCat(" (", key.unit, ")"), ".\n", key.name,
                    " = ", ValueText(key.field, defaults), "\n");
  }
  // The last, as TOML has it: what follows an array of tables belongs to it.
  return absl::StrCat(text, "\n", ClassRulesText());
}

}  // namespace netchannel
