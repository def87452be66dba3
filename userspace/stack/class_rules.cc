// SPDX-License-Identifier: Apache-2.0
#include "stack/class_rules.h"

namespace netchannel {
namespace {

bool Fits(const ClassRule& rule, const ClassQuestion& question) {
  const bool port =
      !rule.port || *rule.port == question.own_port || *rule.port == question.peer_port;
  const bool user = !rule.uid || *rule.uid == question.uid;
  return port && user && (rule.command.empty() || rule.command == question.command);
}

constexpr ClassRuleKey kKeys[] = {
    {"port", "fits connections with this port at either end", "a number from 1 to 65535", "6379"},
    {"user", "fits sockets of this user's programs", "a user's name or number", "\"redis\""},
    {"command", "fits sockets of programs of this name, as `ps -o comm` shows it",
     "a text of 1 to 15 bytes", "\"redis-server\""},
    {"class", "the class of what fits", "one of latency, throughput", "\"latency\""},
    {"weight", "its share of bytes among the sockets of its class", "a number from 1 to 255", "1"},
};

}  // namespace

ClassWish WishOf(absl::Span<const ClassRule> rules, const ClassQuestion& question) {
  for (const ClassRule& rule : rules) {
    if (Fits(rule, question)) return rule.wish;
  }
  return {};
}

absl::Span<const ClassRuleKey> ClassRuleKeys() { return kKeys; }

}  // namespace netchannel
