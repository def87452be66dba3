// SPDX-License-Identifier: Apache-2.0
#include "cli/stack_settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace netchannel::cli {
namespace {

EndpointOptions With(std::vector<std::string> settings, std::string config_path = "") {
  EndpointOptions options;
  options.settings = std::move(settings);
  options.config_path = std::move(config_path);
  return options;
}

std::string TextOf(const StackSettings& settings) {
  std::ostringstream text;
  text << std::ifstream(settings.path()).rdbuf();
  return text.str();
}

class StackSettingsTest : public testing::Test {
 protected:
  StackSettingsTest() : path_(testing::TempDir() + "nc_settings_" + std::to_string(getpid())) {}
  ~StackSettingsTest() override { unlink(path_.c_str()); }

  void WriteFile(const char* text) { std::ofstream(path_) << text; }

  const std::string path_;
};

TEST_F(StackSettingsTest, IsNoFileWhenNothingIsSet) {
  const auto settings = StackSettings::Make({});
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->path(), nullptr);
}

TEST_F(StackSettingsTest, IsTheUsersFileWhenNothingElseIsSet) {
  const auto settings = StackSettings::Make(With({}, "/etc/netchannel.toml"));
  ASSERT_TRUE(settings.ok());
  EXPECT_STREQ(settings->path(), "/etc/netchannel.toml");
}

TEST_F(StackSettingsTest, SetsAKeyWithoutAFile) {
  const auto settings = StackSettings::Make(With({"session.channels=4"}));
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(TextOf(*settings), "[session]\nchannels = 4\n");
}

TEST_F(StackSettingsTest, LetsASettingWinOverTheFileAndKeepsTheRest) {
  WriteFile("[session]\nchannels = 1\nmtu = 1400\n");
  const auto settings = StackSettings::Make(With({"session.channels=4"}, path_));
  ASSERT_TRUE(settings.ok());
  const std::string text = TextOf(*settings);
  EXPECT_NE(text.find("channels = 4"), std::string::npos) << text;
  EXPECT_NE(text.find("mtu = 1400"), std::string::npos) << text;
}

TEST_F(StackSettingsTest, TakesAWordAsAString) {
  const auto settings = StackSettings::Make(With({"session.congestion=dctcp"}));
  ASSERT_TRUE(settings.ok());
  EXPECT_NE(TextOf(*settings).find("congestion = 'dctcp'"), std::string::npos);
}

TEST_F(StackSettingsTest, TakesAList) {
  const auto settings = StackSettings::Make(With({"driver.queues=[0, 1]"}));
  ASSERT_TRUE(settings.ok());
  EXPECT_NE(TextOf(*settings).find("queues = [ 0, 1 ]"), std::string::npos);
}

TEST_F(StackSettingsTest, TurnsChannelsIntoTheirKey) {
  EndpointOptions options;
  options.channels = 3;
  const auto settings = StackSettings::Make(options);
  ASSERT_TRUE(settings.ok());
  EXPECT_NE(TextOf(*settings).find("channels = 3"), std::string::npos);
}

TEST_F(StackSettingsTest, RefusesASettingWithoutASection) {
  const auto settings = StackSettings::Make(With({"channels=4"}));
  ASSERT_FALSE(settings.ok());
  EXPECT_NE(settings.status().message().find("SECTION.KEY=VALUE"), absl::string_view::npos);
}

TEST_F(StackSettingsTest, NamesTheLineOfAFileThatIsNotToml) {
  WriteFile("[session]\nchannels = = 4\n");
  const auto settings = StackSettings::Make(With({"session.channels=2"}, path_));
  ASSERT_FALSE(settings.ok());
  EXPECT_NE(settings.status().message().find(":2:"), absl::string_view::npos)
      << settings.status().message();
}

// The stack is given a copy in memory, whose name and lines would mean nothing.
TEST_F(StackSettingsTest, NamesTheUsersFileAndItsLineUnderSettings) {
  WriteFile("# A comment.\n[session]\npacing = true\n# Another.\nmtu = -1\n");
  const auto settings = StackSettings::Make(With({"session.channels=2"}, path_));
  ASSERT_FALSE(settings.ok());
  EXPECT_EQ(settings.status().message().find(path_ + ":5: session.mtu: must be"), 0u)
      << settings.status().message();
}

}  // namespace
}  // namespace netchannel::cli
