// SPDX-License-Identifier: Apache-2.0
//
// A configuration's text and the command line's settings (one a line, behind the input's first byte
// 0). What is refused is refused with one line that says where. What is accepted has each value in
// its range and makes a host's configuration; settings that are accepted are a text that says the
// same.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "fuzz_target.h"
#include "stack/config.h"
#include "stack/config_keys.h"
#include "stack/config_settings.h"
#include "stack/host_config.h"

namespace netchannel::fuzz {
namespace {

constexpr absl::string_view kOrigin = "fuzz.toml";
constexpr size_t kMaxSettings = 8;

bool IsAllowed(const UintField& field, const Config& config) {
  return config.*field.field >= field.min && config.*field.field <= field.max;
}
bool IsAllowed(const PortField& field, const Config& config) {
  return config.*field.field >= field.min && config.*field.field <= field.max;
}
bool IsAllowed(const BoolField&, const Config&) { return true; }
bool IsAllowed(const TextField& field, const Config& config) {
  return field.allowed.empty() || std::count(field.allowed.begin(), field.allowed.end(),
                                             absl::string_view(config.*field.field)) != 0;
}
bool IsAllowed(const TextListField& field, const Config& config) {
  return (config.*field.field).size() <= field.max_count;
}
bool IsAllowed(const UintListField& field, const Config& config) {
  const std::vector<uint32_t>& values = config.*field.field;
  return values.size() <= field.max_count &&
         std::all_of(values.begin(), values.end(), [&](uint32_t v) { return v <= field.max; });
}

bool AreSame(const Config& a, const Config& b) {
  const auto same = [&](const ConfigKey& key) {
    return std::visit([&](const auto& f) { return a.*f.field == b.*f.field; }, key.field);
  };
  return std::all_of(ConfigKeys().begin(), ConfigKeys().end(), same) &&
         a.class_rules.size() == b.class_rules.size();
}

void CheckAccepted(const Config& config) {
  for (const ConfigKey& key : ConfigKeys()) {
    Require(std::visit([&](const auto& field) { return IsAllowed(field, config); }, key.field),
            "a value is in its range");
  }
  Require(config.class_rules.size() <= kMaxClassRules, "there are so many rules at most");
  constexpr uint16_t kMtu = 1500;
  MakeHostConfig(config, {wire::IpAddress::V4(0x0a000001)}, kMtu);
  RegionShapeOf(config);
  ThreadPriorityOf(config);
}

void CheckRefusal(const absl::Status& status) {
  const absl::string_view message = status.message();
  const bool printable = std::none_of(message.begin(), message.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
  Require(!message.empty() && printable, "a refusal is one line of text");
}

void CheckText(const std::string& text) {
  const auto config = ParseConfig(text, kOrigin);
  if (config.ok()) return CheckAccepted(*config);
  CheckRefusal(config.status());
  Require(config.status().message().substr(0, kOrigin.size()) == kOrigin,
          "a refusal begins with the text's name");
}

void CheckSettings(const std::vector<std::string>& settings) {
  const auto config = LoadConfigFile("", settings);
  const auto text = ConfigTextOf("", settings);
  Require(config.ok() == text.ok(), "both ways to read settings accept the same");
  if (!config.ok()) {
    CheckRefusal(config.status());
    Require(config.status() == text.status(), "both refuse with the same words");
    return;
  }
  CheckAccepted(*config);
  const auto again = ParseConfig(*text, kOrigin);
  Require(again.ok(), "the text of accepted settings is accepted");
  Require(AreSame(*config, *again), "the text of settings says what they said");
}

Input BytesOf(absl::string_view text) {
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return {bytes, bytes + text.size()};
}

}  // namespace

std::vector<Input> FuzzSeeds() {
  std::vector<Input> seeds;
  // A section each: whole, the text is longer than an input.
  for (const absl::string_view section : absl::StrSplit(DefaultConfigText(), "\n\n")) {
    seeds.push_back(BytesOf(section));
  }
  seeds.push_back(
      BytesOf("[[class_rules]]\nport = 6379\nuser = 0\ncommand = \"redis\"\nclass = \"latency\"\n"
              "[[class_rules]]\nport = 80\nweight = 4\n[peers]\nnetworks = [\"10.0.0.0/8\"]\n"));
  for (const ConfigKey& key : ConfigKeys()) {
    for (const absl::string_view value : {"1", "true", "[\"10.0.0.0/8\"]", "[0, 2]", "cubic"}) {
      const std::string setting = absl::StrCat(key.section, ".", key.name, "=", value);
      seeds.push_back(BytesOf(absl::StrCat(absl::string_view("\0", 1), setting)));
    }
  }
  return seeds;
}

}  // namespace netchannel::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace netchannel::fuzz;
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), input.size());
  CheckText(input.substr(0, end));
  if (end == input.size()) return 0;
  std::vector<std::string> settings = absl::StrSplit(input.substr(end + 1), '\n');
  settings.resize(std::min(settings.size(), kMaxSettings));
  CheckSettings(settings);
  return 0;
}
