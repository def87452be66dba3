// SPDX-License-Identifier: Apache-2.0
#include "stack/class_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_refusal.h"
#include "stack/config.h"

namespace netchannel {
namespace {

using ::testing::HasSubstr;

std::vector<ClassRule> Read(absl::string_view text) {
  const auto config = ParseConfig(text, "test.toml");
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? config->class_rules : std::vector<ClassRule>{};
}

TEST(ClassRulesTest, EveryKeyIsRead) {
  const auto rules = Read(R"(
    [[class_rules]]
    port = 6379
    user = "root"
    command = "redis-server"
    class = "latency"
    weight = 4
  )");
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].port, 6379);
  EXPECT_EQ(rules[0].uid, 0u);
  EXPECT_EQ(rules[0].command, "redis-server");
  EXPECT_EQ(rules[0].wish, (ClassWish{AppClass::kLatency, 4}));
}

TEST(ClassRulesTest, TheFirstRuleThatFitsDecides) {
  const auto rules = Read(R"(
    [[class_rules]]
    port = 80
    class = "latency"
    [[class_rules]]
    user = 1000
    class = "throughput"
    weight = 2
  )");
  const ClassQuestion both{.own_port = 40000, .peer_port = 80, .uid = 1000, .command = "curl"};
  EXPECT_EQ(WishOf(rules, both).app_class, AppClass::kLatency);
  const ClassQuestion user{.own_port = 40000, .peer_port = 81, .uid = 1000, .command = "curl"};
  EXPECT_EQ(WishOf(rules, user), (ClassWish{AppClass::kThroughput, 2}));
  const ClassQuestion none{.own_port = 40000, .peer_port = 81, .uid = 1, .command = "curl"};
  EXPECT_EQ(WishOf(rules, none), ClassWish{});
}

TEST(ClassRulesTest, APortFitsAtEitherEnd) {
  const auto rules = Read("[[class_rules]]\nport = 80\nclass = \"latency\"\n");
  EXPECT_TRUE(WishOf(rules, {.own_port = 80, .peer_port = 9, .command = ""}).app_class);
  EXPECT_TRUE(WishOf(rules, {.own_port = 9, .peer_port = 80, .command = ""}).app_class);
  EXPECT_FALSE(WishOf(rules, {.own_port = 9, .peer_port = 9, .command = ""}).app_class);
}

TEST(ClassRulesTest, AllThatARuleNamesMustFit) {
  const auto rules = Read("[[class_rules]]\nport = 80\ncommand = \"nginx\"\nclass = \"latency\"\n");
  EXPECT_FALSE(WishOf(rules, {.own_port = 80, .command = "curl"}).app_class);
  EXPECT_TRUE(WishOf(rules, {.own_port = 80, .command = "nginx"}).app_class);
}

TEST(ClassRulesTest, ABadValueIsAnErrorThatNamesLineKeyAndWhatIsAllowed) {
  EXPECT_THAT(Refusal("[[class_rules]]\nport = 0\nclass = \"latency\"\n"),
              HasSubstr("test.toml:2: class_rules.port: must be a number from 1 to 65535"));
  EXPECT_THAT(Refusal("[[class_rules]]\nport = 1\nclass = \"fast\"\n"),
              HasSubstr("class_rules.class: must be one of latency, throughput"));
  EXPECT_THAT(Refusal("[[class_rules]]\nport = 1\nweight = 256\n"),
              HasSubstr("class_rules.weight: must be a number from 1 to 255"));
  EXPECT_THAT(Refusal("[[class_rules]]\nuser = \"nobody-of-that-name\"\nclass = \"latency\"\n"),
              HasSubstr("class_rules.user: must be a user's name or number"));
  EXPECT_THAT(Refusal("[[class_rules]]\nports = 1\n"), HasSubstr("class_rules.ports: unknown key"));
}

TEST(ClassRulesTest, ARuleWithoutAConditionOrAWishIsAMistake) {
  EXPECT_THAT(Refusal("[[class_rules]]\nclass = \"latency\"\n"),
              HasSubstr("a rule needs port, user or command"));
  EXPECT_THAT(Refusal("[[class_rules]]\nport = 1\n"), HasSubstr("a rule needs class or weight"));
  EXPECT_THAT(Refusal("class_rules = 1\n"), HasSubstr("write [[class_rules]]"));
}

TEST(ClassRulesTest, TheReferenceOfAllKeysHasThem) {
  const std::string text = DefaultConfigText();
  for (const ClassRuleKey& key : ClassRuleKeys()) {
    EXPECT_THAT(text, HasSubstr("# " + std::string(key.name) + " = "));
  }
  EXPECT_TRUE(ParseConfig(text, "reference").ok());
}

}  // namespace
}  // namespace netchannel
