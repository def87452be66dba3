// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "client_fixture.h"

namespace netchannel {
namespace {

TEST(StackStartTest, AMissingInterfaceIsNamed) {
  EXPECT_EQ(nc_stack_start("missing0", nullptr), nullptr);
  EXPECT_EQ(errno, ENODEV);
  EXPECT_NE(strstr(nc_last_error(), "missing0"), nullptr);
}

TEST(StackStartTest, NeitherInterfaceNorFileIsEinval) {
  EXPECT_EQ(nc_stack_start(nullptr, nullptr), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

TEST(StackStartTest, AMissingFileIsNamed) {
  EXPECT_EQ(nc_stack_start(nullptr, "/nowhere/nc.toml"), nullptr);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_NE(strstr(nc_last_error(), "/nowhere/nc.toml"), nullptr);
}

class ConfigFile {
 public:
  explicit ConfigFile(const char* text) {
    path_ = testing::TempDir() + "nc-config-" + std::to_string(getpid());
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { unlink(path_.c_str()); }
  const char* path() const { return path_.c_str(); }

 private:
  std::string path_;
};

TEST(StackStartTest, TheFilesTextReachesTheStack) {
  EXPECT_EQ(nc_stack_start("fake0", ConfigFile("nonsense = 1\n").path()), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

TEST(StackStartTest, AStackStartsFromAFileAlone) {
  const ConfigFile file("mtu = 1500\n");
  FakeStack::next_setup = {};
  nc_stack* stack = nc_stack_start(nullptr, file.path());
  EXPECT_NE(stack, nullptr);
  nc_stack_stop(stack);
}

TEST(StackStartTest, ADirectoryIsNotAConfiguration) {
  EXPECT_EQ(nc_stack_start("fake0", "/"), nullptr);
  EXPECT_EQ(errno, EISDIR);
}

TEST(StackStopTest, StoppingNothingIsAllowed) { nc_stack_stop(nullptr); }

using StackTest = ClientTest;

TEST_P(StackTest, StatusIsACopyForTheCaller) {
  char* status = nc_stack_status(stack_);
  EXPECT_STREQ(status, "{\"fake\":true}");
  free(status);
}

INSTANTIATE_TEST_SUITE_P(Client, StackTest, testing::Bool());

}  // namespace
}  // namespace netchannel
