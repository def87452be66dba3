// SPDX-License-Identifier: Apache-2.0
#include "stack/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_refusal.h"
#include "stack/config_keys.h"

namespace netchannel {
namespace {

using ::testing::HasSubstr;

TEST(Config, NoTextIsAllDefaults) {
  const auto config = ParseConfig("", "test.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->port, 37000);
  EXPECT_EQ(config->mode, "auto");
  EXPECT_TRUE(config->interface.empty());
}

TEST(Config, EveryKindOfValueIsRead) {
  const auto config = ParseConfig(R"(
    [host]
    interface = "eth7"
    addresses = ["10.0.0.1", "fd00::1"]
    port = 40000
    [driver]
    queues = [0, 2]
    [session]
    mtu_probing = false
    channels = 4
  )",
                                  "test.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->interface, "eth7");
  EXPECT_EQ(config->addresses, (std::vector<std::string>{"10.0.0.1", "fd00::1"}));
  EXPECT_EQ(config->port, 40000);
  EXPECT_EQ(config->queues, (std::vector<uint32_t>{0, 2}));
  EXPECT_FALSE(config->mtu_probing);
  EXPECT_EQ(config->channels, 4u);
}

TEST(Config, UnknownKeyIsAnErrorThatNamesItsLine) {
  EXPECT_THAT(Refusal("[session]\nchanels = 2\n"),
              HasSubstr("test.toml:2: session.chanels: unknown key"));
}

TEST(Config, UnknownSectionIsAnError) {
  EXPECT_THAT(Refusal("[sesion]\nchannels = 2\n"), HasSubstr("sesion: unknown section"));
}

TEST(Config, KeyOutsideASectionIsAnError) {
  EXPECT_THAT(Refusal("port = 1\n"), HasSubstr("port: a key outside a section"));
}

TEST(Config, ValueOutOfRangeSaysTheRange) {
  EXPECT_THAT(Refusal("[session]\nchannels = 9\n"),
              HasSubstr("session.channels: must be a number from 1 to 8 (channels)"));
}

TEST(Config, WrongTypeSaysTheType) {
  EXPECT_THAT(Refusal("[session]\npacing = 1\n"),
              HasSubstr("session.pacing: must be true or false"));
}

TEST(Config, UnknownChoiceListsTheChoices) {
  EXPECT_THAT(Refusal("[session]\ncongestion = \"bbr\"\n"), HasSubstr("one of cubic, dctcp"));
}

TEST(Config, ANetworkThatIsNoPrefixSaysWhy) {
  EXPECT_THAT(
      Refusal("[peers]\nnetworks = [\"10.0.0.1/8\"]\n"),
      HasSubstr("peers.networks: \"10.0.0.1/8\" is not a prefix: bits behind its length are "
                "set; write 10.0.0.0/8"));
}

TEST(Config, RingThatIsNoPowerOfTwoNamesItsNeighbours) {
  EXPECT_THAT(Refusal("[driver]\nrx_ring = 1000\n"), HasSubstr("use 512 or 1024"));
}

TEST(Config, WindowAboveTheBufferIsAnError) {
  EXPECT_THAT(Refusal("[sockets]\nbuffer_kib = 64\ninitial_window_kib = 128\n"),
              HasSubstr("initial_window_kib: 128 is above"));
}

TEST(Config, WhatIsNotTomlSaysWhere) {
  EXPECT_THAT(Refusal("[host\n"), HasSubstr("test.toml:1: not TOML"));
}

TEST(Config, ASectionWithoutANameSaysWhere) {
  EXPECT_THAT(Refusal("[#session]\n"), HasSubstr("test.toml:1: not TOML"));
}

TEST(Config, AKeyOfLettersBeyondAsciiSaysWhere) {
  EXPECT_THAT(Refusal("[session]\nf\xc5\xb1 = 1\n"), HasSubstr("test.toml:2: not TOML"));
}

TEST(Config, ARefusalIsOneLineWhateverItQuotes) {
  EXPECT_EQ(Refusal("[\"a\\nb\"]\n"),
            "test.toml:1: a?b: unknown section; `netchannel config` lists all keys");
}

TEST(Config, DefaultTextIsAcceptedAndChangesNothing) {
  const auto config = ParseConfig(DefaultConfigText(), "default");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(DefaultConfigText().empty(), false);
  const Config defaults;
  EXPECT_EQ(config->rx_ring, defaults.rx_ring);
  EXPECT_EQ(config->user_timeout_ms, defaults.user_timeout_ms);
}

TEST(Config, DefaultTextNamesEveryKey) {
  const std::string text = DefaultConfigText();
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_THAT(text, HasSubstr(std::string(key.name) + " = "));
    EXPECT_FALSE(key.meaning.empty()) << key.name;
  }
}

}  // namespace
}  // namespace netchannel
