// SPDX-License-Identifier: Apache-2.0
#include "stack/config_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

namespace netchannel {
namespace {

using ::testing::HasSubstr;
using Settings = std::vector<std::string>;

class ConfigSettingsTest : public testing::Test {
 protected:
  ConfigSettingsTest() : path_(testing::TempDir() + "nc_config_" + std::to_string(getpid())) {}
  ~ConfigSettingsTest() override { unlink(path_.c_str()); }

  void WriteFile(const char* text) { std::ofstream(path_) << text; }
  // Both ways to load refuse with the same words.
  std::string Refusal(const Settings& settings) const {
    const auto config = LoadConfigFile(path_, settings);
    if (config.ok()) return "accepted";
    EXPECT_EQ(ConfigTextOf(path_, settings).status(), config.status());
    return std::string(config.status().message());
  }
  // A place in the file.
  std::string Line(int line) const { return path_ + ":" + std::to_string(line) + ": "; }

  const std::string path_;
};

// Sections and keys that are not in order, and comments: what a serialiser would change.
constexpr char kFile[] =
    "# Of the machines in rack 7.\n"
    "[session]\n"
    "pacing = true\n"
    "\n"
    "# As measured.\n"
    "channels = 99\n"
    "[driver]\n"
    "rx_ring = 512\n";

TEST_F(ConfigSettingsTest, NamesTheLineOfTheFile) {
  WriteFile(kFile);
  EXPECT_THAT(Refusal({}), HasSubstr(Line(6) + "session.channels: must be a number from 1 to 8"));
}

TEST_F(ConfigSettingsTest, NamesTheLineOfTheFileUnderSettings) {
  WriteFile(kFile);
  EXPECT_THAT(Refusal({"driver.rx_ring=1024"}), HasSubstr(Line(6) + "session.channels"));
  EXPECT_THAT(Refusal({"session.channels=4"}), HasSubstr(Line(6) + "session.channels"));
}

TEST_F(ConfigSettingsTest, NamesTheLineOfARule) {
  WriteFile("[session]\nchannels = 2\n# Storage.\n[[class_rules]]\nport = 0\n");
  EXPECT_THAT(Refusal({"session.pacing=false"}), HasSubstr(Line(5) + "class_rules.port"));
}

TEST_F(ConfigSettingsTest, NamesTheSettingThatIsWrong) {
  WriteFile("[session]\nchannels = 2\n");
  EXPECT_THAT(
      Refusal({"session.channels=9"}),
      HasSubstr("--set session.channels=9: session.channels: must be a number from 1 to 8"));
  EXPECT_THAT(Refusal({"sesion.channels=9"}),
              HasSubstr("--set sesion.channels=9: sesion: unknown section"));
}

TEST_F(ConfigSettingsTest, AValueThatIsNoTomlIsAWord) {
  WriteFile("");
  EXPECT_THAT(Refusal({"session.congestion=d'c"}),
              HasSubstr("--set session.congestion=d'c: session.congestion: must be one of cubic"));
  const auto config = LoadConfigFile(path_, {"session.congestion=dctcp"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->congestion, "dctcp");
}

TEST_F(ConfigSettingsTest, AWholeTextIsNoValue) {
  WriteFile("");
  EXPECT_THAT(Refusal({"session.channels=4\npacing=false"}),
              HasSubstr("--set session.channels=4?pacing=false: session.channels: must be"));
  EXPECT_EQ(Refusal({"session.channels=4\n"}), "accepted");
}

TEST_F(ConfigSettingsTest, AValueThatIsNoTextIsRefused) {
  WriteFile("");
  EXPECT_THAT(Refusal({"daemon.user=\xac"}), HasSubstr("daemon.user=\xac: the value is not UTF-8"));
}

TEST_F(ConfigSettingsTest, SettingsMayMendHowKeysOfTheFileRelate) {
  WriteFile("[scaling]\npolicy = 'adaptive'\nmax_channels = 2\n[session]\nchannels = 3\n");
  EXPECT_THAT(Refusal({}), HasSubstr(path_ + ": session.channels: 3 is above"));
  EXPECT_EQ(Refusal({"scaling.max_channels=4"}), "accepted");
  EXPECT_THAT(Refusal({"scaling.max_channels=1"}),
              HasSubstr(path_ + " with the command line: session.channels"));
}

TEST_F(ConfigSettingsTest, TheTextOfBothSaysTheSame) {
  WriteFile("# A comment.\n[session]\npacing = false\nchannels = 1\n[host]\nport = 40000\n");
  const Settings settings = {"session.channels=4", "driver.queues=[1, 0]"};
  const auto text = ConfigTextOf(path_, settings);
  ASSERT_TRUE(text.ok()) << text.status();
  for (const auto& config : {ParseConfig(*text, "text"), LoadConfigFile(path_, settings)}) {
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_FALSE(config->pacing);
    EXPECT_EQ(config->channels, 4u);
    EXPECT_EQ(config->port, 40000);
    EXPECT_EQ(config->queues, (std::vector<uint32_t>{1, 0}));
  }
}

TEST_F(ConfigSettingsTest, AFileThatIsNotThereIsNamed) {
  EXPECT_THAT(Refusal({}), HasSubstr("read the configuration " + path_ + ": No such file"));
}

TEST_F(ConfigSettingsTest, ADirectoryIsNoFile) {
  const auto config = LoadConfigFile(testing::TempDir(), {});
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("Is a directory"));
}

}  // namespace
}  // namespace netchannel
