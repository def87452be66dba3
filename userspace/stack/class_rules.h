// SPDX-License-Identifier: Apache-2.0
//
// The configuration's rules for classes: which sockets are of which class and weight, by port, user
// and command. TOML tables, tried in the order of the file; the first that fits decides:
//
//   [[class_rules]]
//   port = 6379            # at either end of the connection
//   user = "redis"         # whose program holds the socket: a name or a number
//   command = "redis-server"
//   class = "latency"
//   weight = 4
//
// What a rule leaves out fits all. A rule that chooses neither class nor weight, or fits
// everything, is refused: it is a mistake.
//
// Thread: values. Errors: one line that names the rule, the key and what is allowed. Cost: a look
// at each rule (at most kMaxClassRules) when a connection begins, none later.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vns/socket_class.h"

namespace netchannel {

inline constexpr size_t kMaxClassRules = 256;

struct ClassRule {
  std::optional<uint16_t> port;
  std::optional<uint32_t> uid;
  std::string command;  // as /proc/PID/comm has it, at most 15 bytes; empty: any
  ClassWish wish;
};

// What the rules are asked about: a connection, and who holds its socket.
struct ClassQuestion {
  uint16_t own_port = 0, peer_port = 0;
  uint32_t uid = 0;
  absl::string_view command;
};

// The wish of the first rule that fits; none: an empty one.
ClassWish WishOf(absl::Span<const ClassRule> rules, const ClassQuestion& question);

// The keys of a rule, for documentation and parsing.
struct ClassRuleKey {
  absl::string_view name;
  absl::string_view meaning;
  absl::string_view allowed;
  absl::string_view example;  // as TOML
};
absl::Span<const ClassRuleKey> ClassRuleKeys();

}  // namespace netchannel
