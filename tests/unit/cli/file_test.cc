// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/file_digest.h"
#include "cli/mapped_file.h"
#include "cli/new_file.h"

namespace netchannel::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Span<const std::byte> Bytes(const char* text) {
  return {reinterpret_cast<const std::byte*>(text), std::strlen(text)};
}

TEST(Sha256, AgreesWithTheStandardsExample) {
  // FIPS 180-2, appendix B.1.
  const auto digest = Sha256(Bytes("abc"));
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ((*digest)[0], 0xba);
  EXPECT_EQ((*digest)[1], 0x78);
  EXPECT_EQ((*digest)[31], 0xad);
}

class FileTest : public testing::Test {
 protected:
  FileTest() : folder_(testing::TempDir() + "nc_file_XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/file";
  }
  ~FileTest() override { std::filesystem::remove_all(folder_); }

  std::string Content() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  // Names in the folder.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  static void Fill(const NewFile& file, const char* text) {
    std::memcpy(file.bytes().data(), text, file.bytes().size());
  }

  std::string folder_, path_;
};

TEST_F(FileTest, ANewOneIsThereWhenItIsKept) {
  {
    auto file = NewFile::Create(path_, 3);
    ASSERT_TRUE(file.ok()) << file.status();
    Fill(*file, "abc");
    EXPECT_NE(access(path_.c_str(), F_OK), 0);
    EXPECT_TRUE(file->Keep().ok());
  }
  EXPECT_THAT(Names(), ElementsAre("file"));
  const auto file = MappedFile::OpenToRead(path_);
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(file->bytes().size(), 3u);
  EXPECT_EQ(std::memcmp(file->bytes().data(), "abc", 3), 0);
}

TEST_F(FileTest, ANewOneReplacesALongerOne) {
  std::ofstream(path_) << "longer than three";
  auto file = NewFile::Create(path_, 3);
  ASSERT_TRUE(file.ok()) << file.status();
  Fill(*file, "abc");
  EXPECT_EQ(Content(), "longer than three");
  EXPECT_TRUE(file->Keep().ok());
  EXPECT_EQ(Content(), "abc");
}

TEST_F(FileTest, WhatWasThereStaysWhenTheNewOneIsNotKept) {
  std::ofstream(path_) << "old";
  { ASSERT_TRUE(NewFile::Create(path_, 3).ok()); }
  EXPECT_EQ(Content(), "old");
  EXPECT_THAT(Names(), ElementsAre("file"));
}

TEST_F(FileTest, ANewOneIsNotReadByMoreThanTheOld) {
  std::ofstream(path_) << "old";
  ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
  auto file = NewFile::Create(path_, 3);
  ASSERT_TRUE(file.ok()) << file.status();
  struct stat info {};
  for (const std::string& name : Names()) {
    ASSERT_EQ(stat((folder_ + "/" + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777u, 0600u) << name;
  }
  EXPECT_TRUE(file->Keep().ok());
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
}

TEST_F(FileTest, ANewOneTakesThePlaceThatALinkNames) {
  const std::string link = folder_ + "/link";
  std::ofstream(path_) << "old";
  ASSERT_EQ(symlink("file", link.c_str()), 0);
  auto file = NewFile::Create(link, 3);
  ASSERT_TRUE(file.ok()) << file.status();
  Fill(*file, "abc");
  EXPECT_TRUE(file->Keep().ok());
  EXPECT_EQ(Content(), "abc");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
}

TEST_F(FileTest, APipeOrAFolderIsNotReplaced) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  for (const std::string& place : {path_, folder_}) {
    const auto file = NewFile::Create(place, 3);
    ASSERT_FALSE(file.ok());
    EXPECT_THAT(file.status().message(), HasSubstr(place + ": is there, and is not a file"));
    EXPECT_FALSE(NewFile::CheckPlace(place).ok());
  }
  EXPECT_THAT(Names(), ElementsAre("file"));
}

TEST_F(FileTest, AnEmptyOneIsRead) {
  ASSERT_TRUE(MappedFile::Create(path_, 0, 0600).ok());
  const auto file = MappedFile::OpenToRead(path_);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->bytes().empty());
}

TEST_F(FileTest, OneThatIsMissingIsNamed) {
  const auto file = MappedFile::OpenToRead(path_);
  ASSERT_FALSE(file.ok());
  EXPECT_THAT(file.status().message(), HasSubstr(path_));
}

TEST_F(FileTest, OneLargerThanItsDiskIsRefusedAndLeavesNothing) {
  EXPECT_FALSE(NewFile::Create(path_, uint64_t{1} << 50).ok());
  EXPECT_THAT(Names(), ElementsAre());
}

}  // namespace
}  // namespace netchannel::cli
