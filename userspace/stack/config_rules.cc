// SPDX-License-Identifier: Apache-2.0
#include "stack/config_rules.h"

#include <pwd.h>
#include <unistd.h>

#include <limits>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "stack/config_table.h"

namespace netchannel {
namespace {

constexpr size_t kMaxCommand = 15;  // TASK_COMM_LEN without its end

absl::Status RefuseRule(absl::string_view origin, const toml::node& node, absl::string_view key,
                        absl::string_view why) {
  return OneLineError(absl::StrCat(PlaceOf(origin, node), ": class_rules", key, ": ", why));
}

std::optional<uint32_t> NumberIn(const toml::node& node, int64_t most) {
  const auto value = node.value_exact<int64_t>();
  if (!value || *value < 1 || *value > most) return std::nullopt;
  return static_cast<uint32_t>(*value);
}

std::optional<uint32_t> UserOf(const toml::node& node) {
  if (const auto number = node.value_exact<int64_t>()) {
    if (*number < 0 || *number > std::numeric_limits<uint32_t>::max()) return std::nullopt;
    return static_cast<uint32_t>(*number);
  }
  const auto name = node.value_exact<std::string>();
  if (!name) return std::nullopt;
  passwd entry;
  passwd* found = nullptr;
  std::vector<char> buffer(16384);  // larger than any entry that getpwnam_r is seen to need
  getpwnam_r(name->c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return found->pw_uid;
}

// False: the value is none that the key may have.
bool Store(absl::string_view key, const toml::node& node, ClassRule& rule) {
  if (key == "port") {
    const auto port = NumberIn(node, 65535);
    if (port) rule.port = static_cast<uint16_t>(*port);
    return port.has_value();
  }
  if (key == "user") {
    rule.uid = UserOf(node);
    return rule.uid.has_value();
  }
  if (key == "weight") {
    const auto weight = NumberIn(node, 255);
    rule.wish.weight = static_cast<uint8_t>(weight.value_or(0));
    return weight.has_value();
  }
  const auto text = node.value_exact<std::string>();
  if (!text) return false;
  if (key == "command") {
    rule.command = *text;
    return !text->empty() && text->size() <= kMaxCommand;
  }
  if (*text == "latency") rule.wish.app_class = AppClass::kLatency;
  if (*text == "throughput") rule.wish.app_class = AppClass::kThroughput;
  return rule.wish.app_class.has_value();
}

const ClassRuleKey* FindKey(absl::string_view name) {
  for (const ClassRuleKey& key : ClassRuleKeys()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

absl::StatusOr<ClassRule> ReadRule(absl::string_view origin, const toml::table& table) {
  ClassRule rule;
  for (const auto& [name, node] : table) {
    const absl::string_view text(name.str().data(), name.str().size());
    const ClassRuleKey* key = FindKey(text);
    if (key == nullptr) {
      return RefuseRule(origin, node, absl::StrCat(".", text),
                        "unknown key; `netchannel config` lists all keys");
    }
    if (!Store(text, node, rule)) {
      return RefuseRule(origin, node, absl::StrCat(".", text),
                        absl::StrCat("must be ", key->allowed));
    }
  }
  if (!rule.port && !rule.uid && rule.command.empty()) {
    return RefuseRule(origin, table, "", "a rule needs port, user or command");
  }
  if (rule.wish == ClassWish{})
    return RefuseRule(origin, table, "", "a rule needs class or weight");
  return rule;
}

}  // namespace

absl::StatusOr<std::vector<ClassRule>> ReadClassRules(absl::string_view origin,
                                                      const toml::node& node) {
  const toml::array* tables = node.as_array();
  if (tables == nullptr || tables->size() > kMaxClassRules) {
    return RefuseRule(origin, node, "",
                      absl::StrCat("write [[class_rules]], at most ", kMaxClassRules, " of them"));
  }
  std::vector<ClassRule> rules;
  for (const toml::node& one : *tables) {
    const toml::table* table = one.as_table();
    if (table == nullptr) return RefuseRule(origin, one, "", "write [[class_rules]]");
    auto rule = ReadRule(origin, *table);
    if (!rule.ok()) return rule.status();
    rules.push_back(*std::move(rule));
  }
  return rules;
}

std::string ClassRulesText() {
  std::string text =
      "# Rules for classes, tried in this order; the first that fits decides. A socket's own "
      "option "
      "wins.\n# [[class_rules]]\n";
  for (const ClassRuleKey& key : ClassRuleKeys()) {
    absl::StrAppend(&text, "# ", key.name, " = ", key.example, "  # ", key.meaning, ". ",
                    key.allowed, ".\n");
  }
  return text;
}

}  // namespace netchannel
